/** What the kernel says where it has no project quotas; that they work is shown by posix-disk, on filesystems that have them. */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { asRoot } from '../testing/index.js';
import { projectOf, projectQuota, requireProjectQuota, setProjectQuota } from './project-quota.js';

const rootTest = asRoot(test);
const failure = (code: RegExp) => expect.objectContaining({ code: expect.stringMatching(code) });
let directory: string;
let fd: number;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-quota-'));
  fd = openSync(directory, 'r');
});
afterAll(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

rootTest('quotas that are off are said to be off, or not to be', () => {
  for (const ask of [
    () => requireProjectQuota(fd),
    () => projectQuota(fd, 5000),
    () => setProjectQuota(fd, 5000, { bytes: 1, files: 0 }),
  ])
    expect(ask).toThrow(failure(/^(ESRCH|ENOSYS)$/));
});

rootTest('an error says which question it was', () => {
  expect(() => projectQuota(fd, 5000)).toThrow(/quotactl_fd.*Q_GETQUOTA\|PRJQUOTA.*5000/);
});

rootTest('a filesystem without projects says so', () => {
  const proc = openSync('/proc', 'r');
  expect(() => projectOf(proc)).toThrow(failure(/^(ENOTTY|EOPNOTSUPP)$/));
  closeSync(proc);
});
