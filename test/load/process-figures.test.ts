/** What is read of a process from /proc. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { cpuSecondsOf, familyOf, ownerOfPort, processFigures } from '../../load/process-figures.ts';

describe.skipIf(process.platform !== 'linux')('of this process', () => {
  test('memory and descriptors are told, and time that is spent', () => {
    const { residentBytes, descriptors } = processFigures(process.pid);
    expect(Math.abs(residentBytes / process.memoryUsage.rss() - 1)).toBeLessThan(0.2);
    expect(descriptors).toBeGreaterThan(3);
    const before = { seen: cpuSecondsOf(process.pid), own: process.cpuUsage() };
    while (process.cpuUsage(before.own).user + process.cpuUsage(before.own).system < 200_000);
    const spent = cpuSecondsOf(process.pid) - before.seen;
    expect(spent).toBeGreaterThan(0.15);
  });

  test('the owner of a port is found, and nobody for a port that is closed', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(ownerOfPort(port)).toBe(process.pid);
    server.close();
    await once(server, 'close');
    expect(ownerOfPort(port)).toBeUndefined();
  });

  test('children and their children belong to it', async () => {
    const child = spawn('sh', ['-c', 'cat; true'], { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    const family = familyOf(process.pid);
    expect(family[0]).toBe(process.pid);
    expect(family).toContain(child.pid);
    child.stdin.end();
    await once(child, 'close');
    expect(familyOf(process.pid)).not.toContain(child.pid);
  });
});
