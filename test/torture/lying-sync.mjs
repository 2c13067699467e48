/**
 * Loaded before the server, by NODE_OPTIONS, it breaks one promise: an fsync or fdatasync of a file
 * below the folder that TORTURE_UNSYNCED names says that it succeeded and does nothing. A harness
 * that does not catch such a server cannot see loss.
 */
import { readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';

const folder = `/${process.env.TORTURE_UNSYNCED}/`;
const probe = await open('/dev/null');
const handles = Object.getPrototypeOf(probe);
await probe.close();

for (const method of ['sync', 'datasync']) {
  const honest = handles[method];
  handles[method] = async function lying() {
    if (readlinkSync(`/proc/self/fd/${this.fd}`).includes(folder)) return;
    await honest.call(this);
  };
}
