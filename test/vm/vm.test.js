import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxProblem } from '@caisson/linux/testing';
import { afterAll, describe, expect, test } from '@jest/globals';
import { cpioArchive } from './cpio.js';
import { figures, describe as inWords, total, unfinished } from './results.js';

describe('an initramfs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'caisson-vm-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const problem = busyboxProblem();
  if (problem) console.log(`skipped: ${problem}`);

  (problem ? test.skip : test)('is an archive that others can unpack', () => {
    const archive = cpioArchive([
      { path: 'bin', mode: 0o040755 },
      { path: 'bin/program', mode: 0o100751, content: Buffer.from('five!') },
      { path: 'empty', mode: 0o100644 },
    ]);
    execFileSync('busybox', ['cpio', '-i'], {
      cwd: folder,
      input: archive,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    expect(readFileSync(join(folder, 'bin/program'), 'utf8')).toBe('five!');
    expect(statSync(join(folder, 'bin/program')).mode & 0o777).toBe(0o751);
    expect(statSync(join(folder, 'empty')).size).toBe(0);
  });
});

describe('results', () => {
  const passed = { file: 'a.test.js', seconds: 4, passed: 2, failed: 0, skipped: 1 };

  test('a file that did not end counts as a failure, and says why and where', () => {
    const hung = unfinished({ file: 'b.test.js', test: 'volumes come and go' }, 'the machine ended');
    expect(figures(total([passed, hung]))).toBe('2 passed, 1 failed, 1 skipped');
    expect(inWords(hung)).toBe('FAIL b.test.js: the machine ended, in: volumes come and go');
    expect(inWords(unfinished({ file: 'c.test.js' }, 'the machine ended'))).toBe(
      'FAIL c.test.js: the machine ended',
    );
  });

  test('a file that ended says its figures', () => {
    expect(inWords(passed)).toBe('PASS a.test.js: 2 passed, 0 failed, 1 skipped (4 s)');
  });
});
