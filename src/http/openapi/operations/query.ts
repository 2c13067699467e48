import { type Collection, columnsOf } from '../../../domain/query/columns.ts';
import { operators } from '../../../domain/query/filters.ts';
import { queryParameters } from '../../query/schemas.ts';
import type { Operation, Operations, Parameter } from '../operation.ts';

const filter = (name: string): Parameter => ({
  name,
  in: 'query',
  description: `An operator and a value, as in eq.x; operators: ${operators.join(', ')}. May be repeated`,
});

const operation = (collection: Collection, answer: Operation['answer']): Operation => ({
  summary: `Query ${collection}`,
  description:
    'Filters on columns, and on user metadata as metadata->>key=eq.x, must all hold. ' +
    'Only what the caller may read is looked at.',
  query: queryParameters,
  parameters: [...columnsOf(collection)]
    .filter(([, kind]) => kind !== 'json')
    .map(([name]) => filter(name)),
  answer,
  refusals: ['InvalidRequest', 'AccessDenied'],
});

export const queryOperations: Operations = {
  'GET /storage/v1/query/storage_objects': operation('storage_objects', 'ObjectQuery'),
  'GET /storage/v1/query/storage_buckets': operation('storage_buckets', 'BucketQuery'),
};
