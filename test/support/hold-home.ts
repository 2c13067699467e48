/** A process that opens the home in argv, says `held`, or why not, and keeps it until it is killed. */
import { nodeFiles } from '#files';
import { openHome } from '../../src/home/home.ts';

try {
  const home = await openHome({ files: nodeFiles, directory: process.argv[2] ?? '' });
  process.once('SIGTERM', () => void home.close().then(() => process.exit(0)));
  process.stdout.write('held\n');
  setInterval(() => {}, 1000);
} catch (cause) {
  process.stdout.write(`${String(cause)}\n`);
}
