import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger, PipeMoves } from '@caisson/plugin-sdk';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { MovedSource } from './moved-source.js';
import { OutputFile } from './output-file.js';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants;
let directory = '';
let path = '';
let readEnd = -1;
let writeEnd = -1;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-moved-'));
  path = join(directory, 'stdout');
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  readEnd = openSync(fifo, O_RDONLY | O_NONBLOCK);
  writeEnd = openSync(fifo, O_WRONLY);
});
afterEach(() => rmSync(directory, { recursive: true }));

/** In place of the kernel: reads and writes, when it is told to; the file refuses what it is told to refuse. */
class FakeMoves implements PipeMoves {
  refusal: string | undefined;
  #waiting: (() => void) | undefined;

  toFile(output: number, file: number, offset: number, most: number): number | undefined {
    if (this.refusal !== undefined) throw new Error(this.refusal);
    const piece = Buffer.alloc(most);
    const length = readSync(output, piece);
    return length > 0 ? writeSync(file, piece, 0, length, offset) : length;
  }

  onReady(_output: number, callback: () => void): () => void {
    this.#waiting = callback;
    return () => {
      if (this.#waiting === callback) this.#waiting = undefined;
    };
  }

  get isWaitedFor(): boolean {
    return this.#waiting !== undefined;
  }

  ready(): void {
    const callback = this.#waiting;
    this.#waiting = undefined;
    callback?.();
  }
}

function start(open = () => openSync(path, 'a+')) {
  const moves = new FakeMoves();
  const log = { warn: jest.fn() };
  const file = new OutputFile('web', 'stdout', open, log as unknown as Logger);
  const sink = {
    file,
    watched: true,
    shown: '',
    isWatched: () => sink.watched,
    show: jest.fn((data: Buffer) => {
      sink.shown += data.toString();
    }),
    closed: jest.fn(),
  };
  const source = new MovedSource(readEnd, moves, sink);
  const ends = () => {
    source.close();
    file.close();
  };
  return { moves, log, sink, source, ends };
}

const inFile = () => readFileSync(path, 'utf8');

test('everything is in the file, and shown to those who look; until then it stays in the pipe', () => {
  const { moves, sink, source, ends } = start();
  writeSync(writeEnd, 'one\n');
  expect(moves.isWaitedFor).toBe(false);
  source.resume();
  moves.ready();
  sink.watched = false;
  writeSync(writeEnd, 'two\n');
  moves.ready();
  expect([inFile(), sink.shown]).toEqual(['one\ntwo\n', 'one\n']);
  ends();
  closeSync(writeEnd);
});

test('its end is told once, and what is open is given back', () => {
  const { moves, sink, source, ends } = start();
  source.resume();
  closeSync(writeEnd);
  moves.ready();
  ends();
  expect(sink.closed).toHaveBeenCalledTimes(1);
  expect(() => readSync(readEnd, Buffer.alloc(1))).toThrow('EBADF');
  expect(moves.isWaitedFor).toBe(false);
});

test('who has enough holds it up, also from within what it is shown', () => {
  const { moves, sink, source, ends } = start();
  sink.show.mockImplementation(() => source.pause());
  source.resume();
  source.resume();
  writeSync(writeEnd, 'one\n');
  moves.ready();
  expect(moves.isWaitedFor).toBe(false);
  source.resume();
  expect(moves.isWaitedFor).toBe(true);
  source.pause();
  expect(moves.isWaitedFor).toBe(false);
  ends();
  closeSync(writeEnd);
});

test('what the file does not take is shown nevertheless, and the log says once that it is missing there', () => {
  writeFileSync(path, '');
  const { moves, log, sink, source, ends } = start(() => openSync(path, 'r')); // as good as full
  source.resume();
  for (const line of ['one\n', 'two\n']) {
    moves.refusal = 'ENOSPC: no space left on device';
    writeSync(writeEnd, line);
    moves.ready();
  }
  expect([inFile(), sink.shown]).toEqual(['', 'one\ntwo\n']);
  expect(log.warn.mock.calls).toEqual([
    [{ container: 'web', error: expect.stringMatching(/^EBADF/) }, expect.stringContaining('not completely')],
  ]);
  ends();
  closeSync(writeEnd);
});

test('a filesystem that cannot be moved to is written to, and nothing is wrong', () => {
  const { moves, log, sink, source, ends } = start();
  source.resume();
  moves.refusal = 'EINVAL';
  writeSync(writeEnd, 'one\n');
  moves.ready();
  moves.refusal = undefined;
  writeSync(writeEnd, 'two\n');
  moves.ready();
  expect([inFile(), sink.shown]).toEqual(['one\ntwo\n', 'one\ntwo\n']);
  expect(log.warn).not.toHaveBeenCalled();
  ends();
  closeSync(writeEnd);
});

test('without a file it is shown', () => {
  const { moves, sink, source, ends } = start(() => {
    throw new Error('the container has put something else there');
  });
  source.resume();
  writeSync(writeEnd, 'one\n');
  moves.ready();
  expect(sink.shown).toBe('one\n');
  closeSync(writeEnd);
  moves.ready();
  expect(sink.closed).toHaveBeenCalledTimes(1);
  ends();
});

test('a container that takes back what it wrote is waited for, not for ever', () => {
  const { moves, sink, source, ends } = start();
  source.resume();
  moves.refusal = 'ENOSPC';
  moves.ready();
  expect(sink.closed).not.toHaveBeenCalled();
  expect(moves.isWaitedFor).toBe(true);
  ends();
  closeSync(writeEnd);
});

test('goes on at the end of a file that its owner has emptied', () => {
  const { moves, source, ends } = start(() => openSync(path, 'w+'));
  source.resume();
  for (const line of ['one\n', 'two\n']) {
    writeSync(writeEnd, line);
    moves.ready();
    expect(inFile()).toBe(line);
    truncateSync(path);
  }
  ends();
  closeSync(writeEnd);
});
