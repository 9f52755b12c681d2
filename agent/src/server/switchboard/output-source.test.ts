import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Logger } from '@caisson/plugin-sdk';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { OutputFile } from './output-file.js';
import { ReadSource } from './output-source.js';

let path = '';
let file: OutputFile;
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'caisson-source-')), 'stdout');
  file = new OutputFile('web', 'stdout', () => openSync(path, 'w+'), {} as Logger);
});
afterEach(() => {
  file.close();
  rmSync(join(path, '..'), { recursive: true });
});

const turn = () => new Promise(setImmediate);

function start() {
  const stream = new Readable({ read() {} });
  let shown = '';
  const sink = {
    file,
    isWatched: () => true,
    show: (data: Buffer) => {
      shown += data;
    },
    closed: jest.fn(),
  };
  return { stream, sink, source: new ReadSource(stream, sink), shown: () => shown };
}

const inFile = () => readFileSync(path, 'utf8');

test('what is read is in the file, and shown', async () => {
  const { stream, source, shown } = start();
  stream.push('one');
  await turn();
  expect(inFile()).toBe('');
  source.resume();
  await turn();
  expect([inFile(), shown()]).toEqual(['one', 'one']);
});

test('so is what had been read when it was paused, before it is given back', async () => {
  const { stream, source, sink, shown } = start();
  source.resume();
  await turn();
  source.pause();
  stream.push('one');
  stream.push('two');
  await turn();
  expect(inFile()).toBe('');
  source.empty();
  source.close();
  await turn();
  expect([inFile(), shown()]).toEqual(['onetwo', 'onetwo']);
  expect(sink.closed).toHaveBeenCalledTimes(1);
});

test('one that was never wanted keeps what it has', async () => {
  const { stream, source, shown } = start();
  stream.push('one');
  source.empty();
  source.close();
  await turn();
  expect([inFile(), shown()]).toEqual(['', '']);
});
