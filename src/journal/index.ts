/**
 * The door of journal/. The log's errors are passed on because start-up must tell an operator why
 * the store does not open, and only journal may import #wal.
 */
export { LogBehindWitness, LogCorrupt, LogTruncated } from '#wal';
export { RecordUnreadable } from './codec.ts';
export type { CommittedFrame, Journal } from './journal.ts';
export {
  type JournalOptions,
  type JournalWitness,
  openJournal,
  openMemoryJournal,
} from './open-journal.ts';
export { openWaitingJournal, type WaitingJournal } from './waiting-journal.ts';
