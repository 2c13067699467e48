/** What the service role may see of the store itself. */
import type { Observe } from '../domain/effects.ts';
import type { Rejection } from '../domain/rejection.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, refuse } from '../domain/result.ts';
import type { Admin, Call, RecoveryReport, StoreStatus } from './service.ts';
import type { Jobs } from './upkeep/jobs.ts';

export interface AdminParts {
  readonly status: () => Promise<StoreStatus>;
  readonly recovery: () => RecoveryReport;
  readonly jobs: Jobs;
  readonly observe: Observe;
  readonly digest: () => Promise<{
    readonly digest: string;
    readonly position: StoreStatus['positions']['applied'];
  }>;
}

export function createAdmin(parts: AdminParts): Admin {
  const { status, recovery, digest } = parts;
  return {
    ...jobAdmin(parts),
    async status(call) {
      const refusal = refuseOthers(call);
      return refusal ? refuse(refusal) : ok(await status());
    },
    async recovery(call) {
      const refusal = refuseOthers(call);
      return refusal ? refuse(refusal) : ok(recovery());
    },
    async digest(call) {
      const refusal = refuseOthers(call);
      return refusal ? refuse(refusal) : ok(await digest());
    },
  };
}

function jobAdmin({
  jobs,
  observe,
}: AdminParts): Pick<Admin, 'startJob' | 'jobs' | 'job' | 'cancelJob'> {
  return {
    async startJob(call, kind, options) {
      const refusal = refuseOthers(call);
      if (refusal) return refuse(refusal);
      const started = jobs.start(kind, options);
      if (started.ok) {
        const { id } = started.value;
        observe.info('a job was asked for', { kind, job: id, request_id: call.requestId });
      }
      return started;
    },
    async jobs(call) {
      const refusal = refuseOthers(call);
      return refusal ? refuse(refusal) : ok(jobs.list());
    },
    async job(call, id) {
      const refusal = refuseOthers(call);
      return refusal ? refuse(refusal) : ok(jobs.find(id));
    },
    async cancelJob(call, id) {
      const refusal = refuseOthers(call);
      return refusal ? refuse(refusal) : ok(await jobs.cancel(id));
    },
  };
}

function refuseOthers({ caller }: Call): Rejection | undefined {
  if (caller.kind === 'service') return undefined;
  if (caller.kind === 'anonymous') return rejection('MissingAuthorization');
  return rejection('AccessDenied', 'Only the service role may use this');
}
