/** What the doors show of the program itself: its version, and the files of the Swagger UI package. */
import { fileURLToPath } from 'node:url';
import { nodeFiles } from '#files';
import type { Site } from './http/openapi/routes.ts';
import { version } from './version.ts';

/** Each file is read once, when it is first asked for. */
export function createSite(): Site {
  const texts = new Map<string, Promise<string>>();
  return {
    version,
    swaggerUi(name) {
      const known = texts.get(name) ?? read(name);
      texts.set(name, known);
      // A failure is not kept: the next request tries again.
      known.catch(() => texts.delete(name));
      return known;
    },
  };
}

async function read(name: string): Promise<string> {
  const manifest = import.meta.resolve('swagger-ui-dist/package.json');
  const path = fileURLToPath(new URL(name, manifest));
  return Buffer.from(await nodeFiles.readFile(path)).toString('utf8');
}
