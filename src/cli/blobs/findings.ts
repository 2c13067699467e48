/** What a check found wrong with objects, for eyes. */
import { writeTable } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';

interface Finding {
  readonly bucket: string | null;
  readonly path: string;
  readonly object_id: string;
  readonly blob_id: string;
  readonly problem: string;
}

export function writeFindings(surroundings: Surroundings, findings: unknown): void {
  const found = (Array.isArray(findings) ? findings : []) as readonly Finding[];
  if (found.length === 0) return;
  writeTable(surroundings, {
    head: ['problem', 'bucket', 'path', 'object', 'blob'],
    rows: found.map((finding) => [
      finding.problem,
      finding.bucket,
      finding.path,
      finding.object_id,
      finding.blob_id,
    ]),
  });
  surroundings.write('\n');
}
