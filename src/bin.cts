#!/usr/bin/env node
/**
 * The installed command. It is CommonJS because the size of libuv's thread pool is read once, before
 * an ES module gets to run (measured: set in one, it is still 4), and blobs, log and views share
 * that pool.
 */
process.env.UV_THREADPOOL_SIZE ??= '16';

void import('./main.ts');
