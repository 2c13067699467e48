/** Asks a running server by a route, or a directory that nobody serves by the use case behind it. */
import type { Result } from '../domain/result.ts';
import type { Call, Service } from '../service/service.ts';
import { type CommonOptions, configOf, serverOf } from './command.ts';
import { CommandRefused } from './failures.ts';
import { requireLog } from './log-directory.ts';
import { ask, type Question } from './remote.ts';
import type { Surroundings } from './surroundings.ts';

export interface StoreQuestion {
  readonly remote: Omit<Question, 'timeoutMs'>;
  /** Answers what the route does, as it stands in its JSON. */
  readonly offline: (service: Service, call: Call) => Promise<Result<unknown>>;
}

const timeoutMs = 60_000;

/** The answer's JSON. Throws CommandRefused where it is refused. */
export async function askStore(
  surroundings: Surroundings,
  options: CommonOptions,
  { remote, offline }: StoreQuestion,
): Promise<unknown> {
  const server = serverOf(options);
  if (server) return ask(server, { ...remote, timeoutMs });
  const config = configOf(surroundings, options);
  await requireLog(config.dataDir);
  const compose = await surroundings.compose();
  const answer = await compose.askOffline(config, offline);
  if (answer.ok) return answer.value;
  const { code, message = code } = answer.rejection;
  throw new CommandRefused(1, `${message}.`);
}
