/**
 * DESIGN.md's floor table as data, and the rules on it. `check` takes a list of files, real or made
 * up, and returns what breaks a rule: file, import, rule.
 */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { type Import, type ParsedSource, parseSource, type SourceFile } from './source.ts';

interface Room {
  /** A folder, or a file on the roof. */
  readonly path: string;
  readonly floor: number;
  /** Fewer files than this, and the check has not looked at the house. */
  readonly atLeast: number;
}

const roof = 6;

export const rooms: readonly Room[] = [
  { path: 'src/main.ts', floor: roof, atLeast: 1 },
  { path: 'src/bin.cts', floor: roof, atLeast: 1 },
  { path: 'src/compose.ts', floor: roof, atLeast: 1 },
  { path: 'src/config.ts', floor: roof, atLeast: 1 },
  // What compose and config are made of.
  { path: 'src/store.ts', floor: roof, atLeast: 0 },
  { path: 'src/store-blobs.ts', floor: roof, atLeast: 0 },
  { path: 'src/world.ts', floor: roof, atLeast: 0 },
  { path: 'src/greeting.ts', floor: roof, atLeast: 0 },
  { path: 'src/version.ts', floor: roof, atLeast: 0 },
  { path: 'src/site.ts', floor: roof, atLeast: 0 },
  { path: 'src/login-token.ts', floor: roof, atLeast: 0 },
  { path: 'src/setting-kinds.ts', floor: roof, atLeast: 0 },
  { path: 'src/cli', floor: roof, atLeast: 6 },
  { path: 'src/http', floor: 5, atLeast: 8 },
  // Beside the doors.
  { path: 'src/client', floor: 5, atLeast: 6 },
  { path: 'src/service', floor: 4, atLeast: 6 },
  { path: 'src/views', floor: 3, atLeast: 8 },
  { path: 'src/journal', floor: 2, atLeast: 4 },
  { path: 'src/blobs', floor: 2, atLeast: 5 },
  { path: 'src/home', floor: 2, atLeast: 4 },
  { path: 'src/domain', floor: 1, atLeast: 12 },
  { path: 'wal', floor: 0, atLeast: 10 },
];

const doorsOfTheLog: Readonly<Record<string, string>> = {
  '#wal': 'wal/index.ts',
  '#files': 'wal/files.ts',
};
const mayImportTheLog = ['src/journal', 'src/cli'];

/** Packages that stand in some rooms only. */
const packageRooms: Readonly<Record<string, readonly string[]>> = {
  zod: ['src/config.ts', 'src/http', 'src/journal'],
  level: ['src/views', 'src/home'],
  'abstract-level': ['src/views', 'src/home', 'src/blobs'],
  'classic-level': ['src/views', 'src/home'],
  'memory-level': ['src/views', 'src/home'],
};

const maxLinesOfFile = 400;
const maxFilesOfFolder = 14;
const fileSize = `a file has at most ${maxLinesOfFile} lines` as const;
const folderSize = `a folder has at most ${maxFilesOfFolder} files` as const;

export interface Violation {
  readonly rule: Rule;
  readonly message: string;
}

export const rules = [
  'each file has a room in the floor table',
  'an import is a literal that leads somewhere',
  'imports only go down; on one floor only inside one folder',
  'the log is imported by its doors #wal and #files',
  'only journal and cli import #wal',
  'floors 2 to 4 and the roof reach the disk, by #files',
  'only wal/files.ts imports node:fs',
  'wal imports node: only',
  'domain imports nothing',
  'domain is pure',
  'client imports types of http schemas only',
  'a package stands in its rooms only',
  'only config.ts reads the environment',
  'no cycles',
  fileSize,
  folderSize,
] as const;
export type Rule = (typeof rules)[number];

interface Edge {
  readonly from: ParsedSource;
  readonly fromRoom: Room;
  readonly entry: Import;
  readonly specifier: string;
  /** The file of the tree that is meant, or undefined for node: and npm. */
  readonly target: string | undefined;
  readonly toRoom: Room | undefined;
}

export function check(files: readonly SourceFile[]): Violation[] {
  const sources = files.map(parseSource);
  const known = new Set(sources.map(({ path }) => path));
  const edges = sources.flatMap((source) => edgesOf(source));
  return [
    ...sources.filter(({ path }) => !roomOf(path)).map(({ path }) => breach(rules[0], path)),
    ...sources.flatMap((source) => unreadable(source, known)),
    ...edges.flatMap((edge) => edgeRules.flatMap((rule) => rule(edge) ?? [])),
    ...sources.flatMap(impurities),
    ...sources.flatMap(environmentReads),
    ...cycles(sources, edges),
    ...sizes(sources),
  ];
}

/** Rooms with fewer files than they have: the check would pass on nothing. */
export function emptyRooms(files: readonly SourceFile[]): string[] {
  return rooms
    .map((room) => ({ room, count: files.filter(({ path }) => roomOf(path) === room).length }))
    .filter(({ room, count }) => count < room.atLeast)
    .map(({ room, count }) => `${room.path} has ${count} files, not the ${room.atLeast} or more`);
}

function roomOf(path: string): Room | undefined {
  return rooms.find((room) => path === room.path || path.startsWith(`${room.path}/`));
}

function edgesOf(from: ParsedSource): Edge[] {
  const fromRoom = roomOf(from.path);
  if (!fromRoom) return [];
  return from.imports.flatMap((entry) => {
    const { specifier } = entry;
    if (specifier === undefined) return [];
    const target = targetOf(from.path, specifier);
    return [{ from, fromRoom, entry, specifier, target, toRoom: target && roomOf(target) } as Edge];
  });
}

function targetOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(path), specifier);
  return doorsOfTheLog[specifier];
}

const edgeRules: readonly ((edge: Edge) => Violation | undefined)[] = [
  (edge) => {
    const { fromRoom, toRoom } = edge;
    if (!toRoom || fromRoom === toRoom) return undefined;
    const isDown = toRoom.floor < fromRoom.floor;
    const onRoof = toRoom.floor === roof && fromRoom.floor === roof;
    if (isDown || onRoof || isClientsType(edge)) return undefined;
    return broken(edge, 'imports only go down; on one floor only inside one folder');
  },
  (edge) => {
    if (edge.toRoom?.path !== 'wal' || edge.fromRoom.path === 'wal') return undefined;
    if (Object.hasOwn(doorsOfTheLog, edge.specifier)) return undefined;
    return broken(edge, 'the log is imported by its doors #wal and #files');
  },
  (edge) => {
    if (edge.target !== 'wal/index.ts' || edge.fromRoom.path === 'wal') return undefined;
    if (mayImportTheLog.includes(edge.fromRoom.path)) return undefined;
    return broken(edge, 'only journal and cli import #wal');
  },
  (edge) => {
    const { floor } = edge.fromRoom;
    if (edge.target !== 'wal/files.ts' || floor === 0) return undefined;
    if ((floor >= 2 && floor <= 4) || floor === roof) return undefined;
    return broken(edge, 'floors 2 to 4 and the roof reach the disk, by #files');
  },
  (edge) => {
    if (!/^(?:node:)?fs(?:\/|$)/.test(edge.specifier) || edge.from.path === 'wal/files.ts') {
      return undefined;
    }
    return broken(edge, 'only wal/files.ts imports node:fs');
  },
  (edge) => {
    if (edge.fromRoom.path !== 'wal' || edge.toRoom?.path === 'wal') return undefined;
    if (edge.specifier.startsWith('node:') && isBuiltin(edge.specifier)) return undefined;
    return broken(edge, 'wal imports node: only');
  },
  (edge) => {
    if (edge.fromRoom.path !== 'src/domain' || edge.toRoom === edge.fromRoom) return undefined;
    return broken(edge, 'domain imports nothing');
  },
  (edge) => {
    if (edge.fromRoom.path !== 'src/client' || edge.toRoom === edge.fromRoom) return undefined;
    return isClientsType(edge)
      ? undefined
      : broken(edge, 'client imports types of http schemas only');
  },
  (edge) => {
    const allowed = edge.target ? undefined : packageRooms[packageOf(edge.specifier)];
    if (!allowed || allowed.includes(edge.fromRoom.path)) return undefined;
    return broken(edge, 'a package stands in its rooms only');
  },
];

/** `import type … from '../http/…schemas.ts'`: nothing of it is left at run time. */
function isClientsType({ fromRoom, entry, target }: Edge): boolean {
  const isSchema = target !== undefined && /^src\/http\/(?:.*[/-])?schemas?\.ts$/.test(target);
  return fromRoom.path === 'src/client' && entry.typeOnly && isSchema;
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function unreadable(source: ParsedSource, known: ReadonlySet<string>): Violation[] {
  const rule = 'an import is a literal that leads somewhere';
  const hidden = source.code.match(
    /\b(?:createRequire|getBuiltinModule|import\.meta\.glob|process\.binding)\b/,
  );
  return [
    ...(hidden ? [breach(rule, `${source.path} has ${hidden[0]}`)] : []),
    ...source.imports.flatMap(({ specifier, line }) => {
      const at = `${source.path}:${line}`;
      if (specifier === undefined) return [breach(rule, `${at} imports by an expression`)];
      const target = targetOf(source.path, specifier);
      const leads = target ? known.has(target) : !specifier.startsWith('#');
      return leads ? [] : [breach(rule, `${at} imports '${specifier}'`)];
    }),
  ];
}

/** What depends on the moment, on chance or on the machine; time and ids arrive in commands. */
const impureWords =
  /(?<![\w$)\]#]\??\.|#)\b(?:Date|Temporal|Intl|async|await|Promise|crypto|performance|process|globalThis|Buffer|console|fetch|setTimeout|setInterval|setImmediate|queueMicrotask|require|import\.meta)\b|\bMath\.random\b|\bMath\s*\[/g;

function impurities({ path, code }: ParsedSource): Violation[] {
  if (roomOf(path)?.path !== 'src/domain') return [];
  return [...code.matchAll(impureWords)].map(({ 0: word, index }) =>
    breach('domain is pure', `${path}:${lineAt(code, index)} has ${word}`),
  );
}

/** `process.env`, `process['env']`, `{ env } = process`, and `process` handed on whole. */
const environment =
  /\bprocess\s*(?:\?\.|\.)\s*(?:env|loadEnvFile)\b|\bprocess\s*(?:\?\.)?\s*\[|\}\s*=\s*process\s*[;,)]|[=(,:]\s*process\s*[;,)]|\bimport\.meta\.env\b/g;
/** The one thing that the command does before Node reads it. */
const threadPoolSize = /^\s*\.\s*UV_THREADPOOL_SIZE\s*(?:\?\?=|\|\|=|=(?!=))/;

function environmentReads(source: ParsedSource): Violation[] {
  const { path, code } = source;
  const rule = 'only config.ts reads the environment';
  if (path === 'src/config.ts') return [];
  const imported = source.imports
    .filter(({ specifier }) => /^(?:node:)?process$/.test(specifier ?? ''))
    .filter(({ names }) => /\benv\b|\*/.test(names))
    .map(({ line }) => breach(rule, `${path}:${line} imports the environment`));
  const read = [...code.matchAll(environment)]
    .filter(({ 0: words, index }) => {
      const isWrite = threadPoolSize.test(code.slice(index + words.length));
      return !(path === 'src/bin.cts' && isWrite);
    })
    .map(({ 0: words, index }) =>
      breach(rule, `${path}:${lineAt(code, index)} has ${words.replace(/\s+/g, ' ')}`),
    );
  return [...imported, ...read];
}

function lineAt(code: string, index: number): number {
  return code.slice(0, index).split('\n').length;
}

/**
 * A type is gone at run time, and a row and the events that make it do name each other; but what a
 * file needs when it is loaded must be loaded before it.
 */
function cycles(sources: readonly ParsedSource[], edges: readonly Edge[]): Violation[] {
  const next = new Map<string, string[]>(sources.map(({ path }) => [path, []]));
  for (const { from, entry, target } of edges) {
    if (target !== undefined && !entry.typeOnly) next.get(from.path)?.push(target);
  }
  const done = new Set<string>();
  const found: Violation[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt >= 0) {
      found.push(breach('no cycles', [...trail.slice(seenAt), path].join(' → ')));
      return;
    }
    if (done.has(path)) return;
    for (const target of next.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return found;
}

function sizes(sources: readonly ParsedSource[]): Violation[] {
  const folders = new Map<string, number>();
  for (const { path } of sources) {
    const folder = posix.dirname(path);
    folders.set(folder, (folders.get(folder) ?? 0) + 1);
  }
  return [
    ...sources
      .filter(({ lines }) => lines > maxLinesOfFile)
      .map(({ path, lines }) => breach(fileSize, `${path} has ${lines} lines`)),
    ...[...folders]
      .filter(([, count]) => count > maxFilesOfFolder)
      .map(([folder, count]) => breach(folderSize, `${folder} has ${count} files`)),
  ];
}

function broken({ from, entry, specifier }: Edge, rule: Rule): Violation {
  return breach(rule, `${from.path}:${entry.line} imports '${specifier}'`);
}

function breach(rule: Rule, message: string): Violation {
  return { rule, message: `${message}: ${rule}` };
}
