/**
 * What must hold after every start besides what lies in the store: a URL that was used up or revoked
 * stays so, and a request with an idempotency key that was answered is answered the same again, at
 * the same position, while another one under its key is refused. And a request with a key that got no
 * answer is sent once more, as its client would: the answer says what became of it.
 */
import { ask, type Question, type Reply, type Target } from '../acceptance/support/client.ts';
import type { Ledger, Sent } from './ledger.ts';

export interface Fact {
  readonly kind: 'refused url' | 'repeat';
  /** What is wrong, or undefined. */
  readonly check: (server: Target) => Promise<string | undefined>;
}

/** A request without an answer that is to be sent again after the next start, before all is read. */
export type Retry = (server: Target) => Promise<string | undefined>;

const mostOfKind = 30;

export function keep(ledger: Ledger, fact: Fact): void {
  ledger.facts.push(fact);
  const alike = ledger.facts.filter(({ kind }) => kind === fact.kind);
  const [oldest] = alike;
  if (oldest && alike.length > mostOfKind) ledger.facts.splice(ledger.facts.indexOf(oldest), 1);
}

export interface Request {
  readonly path: string;
  readonly question: Question;
}

/** The URL was used up, or revoked. */
export function refusedUrl({ path, question }: Request, why: string): Fact {
  return {
    kind: 'refused url',
    async check(server) {
      const reply = await ask(server, path, question);
      const { code } = reply.status === 403 ? reply.json() : {};
      if (code === 'InvalidSignature') return undefined;
      return `a signed URL was ${why}, but it is answered ${reply.status}`;
    },
  };
}

/** `first`: how it was answered. */
export function repeated({ path, question }: Request, first: Reply): Fact {
  return {
    kind: 'repeat',
    async check(server) {
      const reply = await ask(server, path, question);
      const what = `${question.method} ${path}, repeated under its key,`;
      const same =
        reply.status === first.status &&
        reply.text() === first.text() &&
        reply.headers['x-aerostore-position'] === first.headers['x-aerostore-position'];
      if (!same) return `${what} is answered ${reply.status} ${reply.text()}, not ${first.text()}`;
      const other = await ask(server, path, { ...question, body: 'of another body' });
      if (other.status === 409) return undefined;
      return `${what} with another body is answered ${other.status}`;
    },
  };
}

/** A request that can be sent again without being done twice. */
export function retried(request: Request, sent: Sent, ledger: Ledger): Retry {
  return async (server) => {
    const reply = await ask(server, request.path, request.question);
    if (reply.status !== 200) return `a repeat is refused: ${reply.status} ${reply.text()}`;
    sent.acknowledged(Number(reply.headers['x-aerostore-position']));
    keep(ledger, repeated(request, reply));
    return undefined;
  };
}

/** An upload by a URL for one use: it takes place now, or the use was made, and then it took place. */
export function usedOnce({ path, question }: Request, sent: Sent, ledger: Ledger): Retry {
  return async (server) => {
    const reply = await ask(server, path, question);
    if (reply.status === 200) sent.acknowledged(Number(reply.headers['x-aerostore-position']));
    else if (reply.status === 403) sent.acknowledged();
    else return `an upload by a signed URL is refused: ${reply.status} ${reply.text()}`;
    keep(ledger, refusedUrl({ path, question }, 'used'));
    return undefined;
  };
}
