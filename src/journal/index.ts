/**
 * The door of journal/. The log's errors are passed on because start-up must tell an operator why
 * the store does not open, and only journal may import #wal.
 */
export { LogBehindWitness, LogCorrupt, LogTruncated } from '#wal';
export { RecordInvalid, RecordUnreadable } from './codec.ts';
export type { Committed, CommittedFrame, Journal, JournalRecovery } from './journal.ts';
export {
  type JournalOptions,
  type JournalWitness,
  type MemoryJournalOptions,
  openJournal,
  openMemoryJournal,
} from './open-journal.ts';
