/**
 * The log engine: bytes, files, positions. It knows no buckets. README.md is its specification; this
 * is its only door (#wal).
 */
export {
  BatchTooLarge,
  type Damage,
  LogBehindWitness,
  LogClosed,
  LogCorrupt,
  LogOverloaded,
  LogPoisoned,
  LogTruncated,
  RecordTooLarge,
} from './errors.ts';
export { type Limits, limits } from './format.ts';
export {
  type Appended,
  type AppendOptions,
  type ChainHead,
  type Conflict,
  type Frame,
  type Log,
  MAIN,
  type Partition,
  type Position,
} from './log.ts';
export { type MemoryLogOptions, openMemoryLog } from './memory.ts';
export {
  inspectLog,
  type LogFacts,
  type LogTail,
  readLog,
  type SegmentFacts,
  type StoredFrame,
} from './offline/look.ts';
export { type RepairReport, repairLog } from './offline/repair.ts';
export {
  type KeptPart,
  type Loss,
  planRepair,
  type RepairPlan,
  type SegmentFile,
} from './offline/repair-plan.ts';
export {
  type Verification,
  type VerifyOptions,
  type VerifyProgress,
  verifyLog,
} from './offline/verify.ts';
export { type OpenLogOptions, openLog } from './open.ts';
export type { RecoveryReport } from './recovery/recover.ts';
export type { Witness } from './recovery/witness.ts';
