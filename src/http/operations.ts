/** Health at the origin, and what the service role sees of the store. */
import { ok, type Result } from '../domain/result.ts';
import type { Call, Health } from '../service/service.ts';
import type { HttpParts } from './app.ts';
import { problemAnswer } from './problems.ts';
import type { Route } from './route.ts';
import { type Answer, jsonAnswer } from './wire/answer.ts';

export function operationRoutes({ service }: HttpParts): Route[] {
  return [
    health('/health/live', () => jsonAnswer({ status: 'live' })),
    health('/health/ready', () => readiness(service.health())),
    admin('status', (call) => service.admin.status(call)),
    admin('recovery', (call) => service.admin.recovery(call)),
    admin('digest', (call) => service.admin.digest(call)),
  ];
}

function health(prefix: string, answer: () => Answer): Route {
  return {
    prefix,
    tail: 'nothing',
    methods: { GET: { access: 'unasked', handle: async () => ok(answer()) } },
  };
}

function readiness({ status, reasons }: Health): Answer {
  if (status !== 'not_ready') return jsonAnswer({ status, reasons });
  return problemAnswer({
    code: 'NotReady',
    message: 'The store is not ready',
    facts: { status, reason: reasons.join('; ') },
  });
}

function admin(name: string, ask: (call: Call) => Promise<Result<unknown>>): Route {
  return {
    prefix: `/storage/v1/admin/${name}`,
    tail: 'nothing',
    methods: {
      GET: {
        access: 'signed in',
        handle: async ({ call }) => {
          const answer = await ask(call);
          return answer.ok ? ok(jsonAnswer(answer.value)) : answer;
        },
      },
    },
  };
}
