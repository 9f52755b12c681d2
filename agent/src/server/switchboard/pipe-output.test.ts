import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { PipeOutput } from './pipe-output.js';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
let directory = '';
let readEnd = -1;
let other = -1;
let writeEnd = -1;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-pipe-'));
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  [readEnd, other] = [openSync(fifo, O_RDONLY | O_NONBLOCK), openSync(fifo, O_RDONLY | O_NONBLOCK)];
  writeEnd = openSync(fifo, O_WRONLY);
  writeSync(writeEnd, 'first\n');
});
afterEach(() => {
  closeSync(other);
  rmSync(directory, { recursive: true });
});

const turn = () => new Promise(setImmediate);

test('takes nothing out of the pipe before somebody reads: another agent finds it', async () => {
  const output = new PipeOutput(readEnd);
  output.on('error', () => {});
  for (let count = 0; count < 3; count++) await turn();
  output.destroy();
  closeSync(writeEnd);
  const found = Buffer.alloc(64);
  expect(found.toString('utf8', 0, readSync(other, found))).toBe('first\n');
});

test('gives all of it, and the end', async () => {
  const output = new PipeOutput(readEnd);
  const closed = new Promise((resolve) => output.once('close', resolve));
  writeSync(writeEnd, 'x'.repeat(20_000));
  closeSync(writeEnd);
  expect(await text(output)).toBe(`first\n${'x'.repeat(20_000)}`);
  await closed;
});
