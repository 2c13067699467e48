/** What the kernel says of a process, from outside of it. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessFigures {
  readonly residentBytes: number;
  /** What of it is the process's own, and no page of a file. */
  readonly anonymousBytes: number;
  readonly descriptors: number;
  /** Of all its threads, user and system. */
  readonly cpuSeconds: number;
}

/** A tick of the kernel's accounting; 100 a second on every Linux that Node runs on. */
const ticksPerSecond = 100;

export function processFigures(pid: number): ProcessFigures {
  return {
    residentBytes: residentBytesOf(pid),
    anonymousBytes: statusBytes(pid, 'RssAnon'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    cpuSeconds: cpuSecondsOf(pid),
  };
}

export function residentBytesOf(pid: number): number {
  return statusBytes(pid, 'VmRSS');
}

function statusBytes(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
}

export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is a name in parentheses, which may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** A process and those that it began, such as nginx and its workers. */
export function familyOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended while the list was read.
    }
  }
  const family = [pid];
  for (const member of family) {
    for (const [child, parent] of parents) if (parent === member) family.push(child);
  }
  return family;
}

/** Who listens on a port of this machine; undefined where it is nobody's that may be looked at. */
export function ownerOfPort(port: number): number | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listenersOn(table, port)));
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name) && holdsOne(Number(name), inodes)) return Number(name);
  }
  return undefined;
}

const listening = '0A';

/** Inodes of sockets. */
function listenersOn(table: string, port: number): string[] {
  const rows = readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n').slice(1);
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hex}`) && state === listening)
    .map((fields) => fields[9] ?? '');
}

function holdsOne(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    // It ended, or it is another user's.
    return false;
  }
}
