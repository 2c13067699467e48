/** What a start says that it found and did: GET /admin/recovery. */
import { expect } from 'vitest';
import { ask } from './client.ts';
import type { Server } from './server.ts';
import { service } from './tokens.ts';

export async function recoveryOf(server: Server): Promise<Record<string, unknown>> {
  const reply = await ask(server, '/admin/recovery', { token: service });
  expect(reply.status, reply.text()).toBe(200);
  return reply.json();
}

/** The records that the views lacked. */
export function replayedRecords(report: Record<string, unknown>): unknown {
  return report.replayed_records;
}
