/** ENOSPC where state lives: a clear error, no record lost, destroy works, service back once there is room. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Containerizer } from './containerizer/containerizer.js';
import {
  FakeKernel,
  FakeLog,
  fakeConfiguration,
  fakeGeneration,
  TemporaryDirectory,
} from './testing/fakes.js';

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
const onTmpfs = canMount ? test : test.skip;
if (!canMount) console.warn('skipped: a small tmpfs can only be mounted by root on Linux');

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = new TemporaryDirectory();
  if (!canMount) return;
  mkdirSync(directory.join('run'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=700', 'caisson-test', directory.join('run')]);
});
afterEach(() => {
  if (canMount) execFileSync('umount', [directory.join('run')]);
  directory.remove();
});

const fill = () => {
  const file = directory.join('run/filler');
  for (let size = 256 * 1024; size >= 1; size = Math.floor(size / 2))
    try {
      writeFileSync(file, Buffer.alloc(size), { flag: 'a' });
    } catch {
      // smaller, until not a byte is left
    }
};

onTmpfs('a full runtimeDir', async () => {
  const kernel = new FakeKernel();
  const log = new FakeLog();
  const configuration = fakeConfiguration(directory);
  const containerizer = await Containerizer.start(fakeGeneration(kernel, []), configuration, { log });
  await containerizer.launch('before', { argv: ['true'] });
  const record = readFileSync(directory.join('run/containers/before/record.json'), 'utf8');
  fill();
  await expect(containerizer.launch('web', { argv: ['true'] })).rejects.toMatchObject({
    code: 'STATE_WRITE_FAILED',
    kind: 'exhausted',
    message: expect.stringMatching(/no space/i),
  });
  await expect(containerizer.update('before', { cpus: 1 })).rejects.toMatchObject({
    code: 'STATE_WRITE_FAILED',
  });
  expect(readFileSync(directory.join('run/containers/before/record.json'), 'utf8')).toBe(record);
  expect(kernel.alive).toHaveLength(1);
  expect(await containerizer.destroy('before')).toMatchObject({ signal: 'SIGKILL' });
  expect(log.text).toMatch(/termination is not on disk/);
  rmSync(directory.join('run/filler'));
  await containerizer.launch('web', { argv: ['true'] });
  await containerizer.close();
});
