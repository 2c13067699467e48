import { eventsQuery, eventsTokenBody } from '../../events/schemas.ts';
import type { Operations } from '../operation.ts';

const prefix = '/storage/v1/events';

export const eventOperations: Operations = {
  [`GET ${prefix}`]: {
    summary: 'Hear of changes, from any place of the log on, as server-sent events or by WebSocket',
    description:
      'The data of each event is an Event. Without a token in the query a login is needed. ' +
      'With "Upgrade: websocket", the same as JSON messages.',
    query: eventsQuery,
    parameters: [
      {
        name: 'last-event-id',
        in: 'header',
        description: 'Go on behind this id, whatever "from" says',
      },
    ],
    answer: 'stream',
    refusals: ['InvalidBucketName', 'NoSuchBucket', 'PositionGone'],
  },
  [`POST ${prefix}/token`]: {
    summary: 'A token for one connection to the events, for clients that can set no header',
    json: { schema: eventsTokenBody, isOptional: true },
    answer: 'EventsToken',
    refusals: ['InvalidBucketName', 'NoSuchBucket', 'TooManyRequests'],
  },
};
