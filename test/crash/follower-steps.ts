/** Steps with consumers and webhooks: what was acknowledged of them stays so after any stop. */
import type { Result } from '../../src/domain/result.ts';
import { type Rig, user } from '../support/rig.ts';
import type { Expected, Oracle } from './oracle.ts';

const alice = user('alice');
const name = 'indexer';
const url = 'https://8.8.8.8/in';
const everything = { bucket: null, prefix: null, types: null };

export interface FollowerSteps {
  defineConsumer(prefix: string | null): Promise<void>;
  removeConsumer(): Promise<void>;
  /** Reads all that there is, and acknowledges it. */
  acknowledge(): Promise<void>;
  makeWebhook(): Promise<void>;
  rotateWebhook(): Promise<void>;
  pauseWebhook(): Promise<void>;
  replayWebhook(): Promise<void>;
  removeWebhook(): Promise<void>;
}

/** What a rig's scenario knows of its followers; undefined for what may be or not. */
interface Known {
  webhook: string | undefined;
  /** The rules of now, each by what it is about: a later step says what holds instead. */
  readonly rules: Map<string, (rig: Rig) => Promise<boolean>>;
}

const known = new WeakMap<Rig, Known>();

export function followerSteps(rig: Rig, oracle: Oracle): FollowerSteps {
  const service = () => rig.store.service;
  const now = knownOf(rig, oracle);
  const webhookId = () => {
    if (now.webhook === undefined) throw new Error('the scenario has no webhook');
    return now.webhook;
  };
  /** Until it is acknowledged, `about` may be as before or as after. */
  const step = async <T>(
    about: string,
    act: () => Promise<Result<T>>,
    holds: (rig: Rig, value: T) => Promise<boolean>,
  ): Promise<void> => {
    const before = now.rules.get(about);
    now.rules.delete(about);
    let done: { readonly value: T } | undefined;
    await oracle.attempt(
      async () => {
        const result = await act();
        if (result.ok) done = { value: result.value };
        return result;
      },
      (_state: Expected) => undefined,
    );
    const { value } = done ?? {};
    if (done) now.rules.set(about, (later) => holds(later, value as T));
    else if (before) now.rules.set(about, before);
  };
  const consumerOf = (later: Rig) => later.store.service.consumers.get(alice, name);
  const webhookOf = (later: Rig, id: string) => later.store.service.webhooks.get(alice, id);
  return {
    defineConsumer: (prefix) =>
      step(
        'consumer',
        () =>
          service().consumers.define(alice, {
            name,
            filter: { ...everything, prefix },
            from: { kind: 'beginning' },
          }),
        async (later) => {
          const found = await consumerOf(later);
          return found.ok && found.value.consumer.filter.prefix === prefix;
        },
      ),
    removeConsumer: () =>
      step(
        'consumer',
        () => service().consumers.remove(alice, name),
        async (later) => !(await consumerOf(later)).ok,
      ),
    async acknowledge() {
      const { consumers } = service();
      const opened = await consumers.open(alice, name);
      if (!opened.ok) throw new Error(opened.rejection.code);
      const batch = await opened.value.next();
      const { events = [], through } = batch?.ok ? batch.value : {};
      const last = events.at(-1)?.place;
      if (!last || !through) throw new Error('the scenario has nothing to acknowledge');
      await consumers.acknowledge(alice, name, last);
      opened.value.close();
      // A cursor may be lost, but for a stop in good order: then something is given again.
      oracle.promise('nothing is left out that was not acknowledged', async (later) => {
        const found = await consumerOf(later);
        return found.ok && found.value.at.position <= through.position;
      });
    },
    makeWebhook: () =>
      step(
        'webhook',
        async () => {
          const made = await service().webhooks.create(alice, { url, filter: everything });
          if (made.ok) now.webhook = made.value.webhook.id;
          return made;
        },
        (later, { webhook, secret }) => signsWith(later, webhook.id, secret),
      ),
    rotateWebhook: () =>
      step(
        'webhook',
        () => service().webhooks.rotate(alice, webhookId()),
        (later, { webhook, secret }) => signsWith(later, webhook.id, secret),
      ),
    pauseWebhook() {
      const id = webhookId();
      return step(
        'state',
        () => service().webhooks.setState(alice, id, 'paused'),
        async (later) => {
          const found = await webhookOf(later, id);
          return !found.ok || found.value.webhook.state === 'paused';
        },
      );
    },
    replayWebhook() {
      const id = webhookId();
      return step(
        'replay',
        () => service().webhooks.replay(alice, id, { from: { kind: 'beginning' } }),
        async (later) => {
          const found = await webhookOf(later, id);
          return !found.ok || found.value.progress.at.position === 0;
        },
      );
    },
    removeWebhook() {
      const id = webhookId();
      return step(
        'webhook',
        () => service().webhooks.remove(alice, id),
        async (later) => !(await webhookOf(later, id)).ok,
      );
    },
  };
}

/** Its newest secret is the one that was shown, and it is there to sign with. */
async function signsWith(later: Rig, id: string, secret: string): Promise<boolean> {
  const found = await later.store.service.webhooks.get(alice, id);
  if (!found.ok) return false;
  const [newest] = found.value.webhook.secrets;
  const [kept] = await later.webhookSecrets().read(newest ? [newest.id] : []);
  return kept?.text === secret;
}

function knownOf(rig: Rig, oracle: Oracle): Known {
  const found = known.get(rig);
  if (found) return found;
  const made: Known = { webhook: undefined, rules: new Map() };
  known.set(rig, made);
  oracle.promise('what was acknowledged of consumers and webhooks is so', async (later) => {
    for (const [about, holds] of made.rules) {
      if (!(await holds(later))) throw new Error(`it is not so of the ${about}`);
    }
    return true;
  });
  // Whatever was cut off: a webhook that is there has a secret to sign with.
  oracle.promise('every webhook can sign', async (later) => {
    const all = await later.store.service.webhooks.list(alice);
    if (!all.ok) return false;
    for (const { webhook } of all.value) {
      const [newest] = webhook.secrets;
      if (!newest || (await later.webhookSecrets().read([newest.id])).length === 0) return false;
    }
    return true;
  });
  return made;
}
