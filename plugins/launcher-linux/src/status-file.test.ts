import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { readStatusFile } from './status-file.js';

let path = '';
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'caisson-status-')), 'status');
});
afterEach(() => rmSync(join(path, '..'), { recursive: true }));

const read = (...bytes: number[]) => {
  writeFileSync(path, Buffer.from(bytes));
  return readStatusFile(path);
};

test('the raw status, and whether the command was executed', () => {
  expect(read(0, 3, 0, 0, 1, 0, 0, 0)).toEqual({ status: 0x300, executed: true, supervised: true });
  expect(read(9, 0, 0, 0, 2, 0, 0, 0)).toEqual({ status: 9, executed: false, supervised: true });
});

test('a supervisor that could not write it has left none', () => {
  expect(readStatusFile(path)).toBeUndefined();
  expect(read()).toBeUndefined();
  expect(read(0, 3, 0, 0)).toBeUndefined();
  expect(read(0, 0, 0, 0, 0, 0, 0, 0)).toBeUndefined();
});
