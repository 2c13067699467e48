/** What the service role may see of the store itself. */
import type { Rejection } from '../domain/rejection.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, refuse } from '../domain/result.ts';
import type { Admin, Call, RecoveryReport, StoreStatus } from './service.ts';

export interface AdminParts {
  readonly status: () => Promise<StoreStatus>;
  readonly recovery: () => RecoveryReport;
  readonly digest: () => Promise<{
    readonly digest: string;
    readonly position: StoreStatus['positions']['applied'];
  }>;
}

export function createAdmin({ status, recovery, digest }: AdminParts): Admin {
  return {
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

function refuseOthers({ caller }: Call): Rejection | undefined {
  if (caller.kind === 'service') return undefined;
  if (caller.kind === 'anonymous') return rejection('MissingAuthorization');
  return rejection('AccessDenied', 'Only the service role may use this');
}
