import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { DuOutput, duArguments } from './arguments.js';
import { Complaints } from './complaints.js';
import { DuMeter } from './du-meter.js';
import { escapeGlob } from './glob.js';
import { runDu } from './run-du.js';

const directory = mkdtempSync(join(tmpdir(), 'caisson-du-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A stand-in for what du can't be made to do; `$@` are its arguments. */
function fakeDu(name: string, script: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const never = new AbortController().signal;
const gnu = { flavour: 'gnu', count: 'blocks', excludes: [] } as const;
const limits = { timeoutMs: 10_000, signal: never };
const run = (program: string, more: Partial<Parameters<typeof runDu>[3]> = {}) =>
  runDu(program, gnu, directory, { ...limits, ...more });

describe('the arguments of du (D1)', () => {
  test('one filesystem, each directory for itself, exact units, NUL, `--` before the path', () => {
    expect(duArguments(gnu)).toEqual(['-x', '-S', '-0', '--block-size=512', '--', '.']);
    expect(duArguments({ ...gnu, count: 'files' })).toEqual(['-x', '-S', '-0', '--inodes', '--', '.']);
  });

  test('what is excluded is a name, not a pattern, and at that place alone', () => {
    expect(duArguments({ ...gnu, excludes: ['data', 'a*[b]?\\'] })).toEqual(
      expect.arrayContaining(['--exclude=./data', '--exclude=./a\\*\\[b\\]\\?\\\\']),
    );
    expect(escapeGlob('plain-1.2')).toBe('plain-1.2');
  });

  test('of other systems what they have in common', () => {
    expect(duArguments({ ...gnu, flavour: 'posix' })).toEqual(['-k', '-s', '-x', '--', '.']);
  });
});

describe('the output of du', () => {
  const sum = (text: string, flavour: 'gnu' | 'posix' = 'gnu', size = 1000) => {
    const output = new DuOutput(flavour);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += size) output.add(bytes.subarray(at, at + size));
    return [output.sum, output.records];
  };

  test('is added up, whatever the names and however it comes', () => {
    const text = '8\t./a\n9\t\0' + '16\t./77\tb\0' + '1024\t.\0';
    for (const size of [1, 2, 3, 7, 1000]) expect(sum(text, 'gnu', size)).toEqual([1048, 3]);
  });

  test('counts what was told before it was cut off', () => {
    expect(sum('8\t./a\0' + '16')).toEqual([8, 1]);
    expect(sum('')).toEqual([0, 0]);
  });

  test('of other systems is one line', () => {
    expect(sum('  132\t.\n', 'posix')).toEqual([132, 1]);
    expect(sum('nonsense\n', 'posix')).toEqual([0, 0]);
  });
});

describe('what du complains about', () => {
  const first = (text: string) => {
    const complaints = new Complaints();
    complaints.add(Buffer.from(text));
    return complaints.first;
  };

  test('files that vanish while it walks are no complaint', () => {
    expect(first("du: cannot access './a': No such file or directory\n")).toBeUndefined();
    expect(first('')).toBeUndefined();
  });

  test('others are told, short and printable: names are the choice of the container', () => {
    expect(first("/usr/bin/du: cannot read directory './x\u001b[2J': Permission denied\n")).toBe(
      "cannot read directory './x?[2J': Permission denied",
    );
    expect(first(`du: ${'x'.repeat(1000)}`)).toHaveLength(203);
  });
});

describe('running du', () => {
  test('in the directory, with nothing of the environment that changes its units', async () => {
    process.env.DU_BLOCK_SIZE = '1M';
    const program = fakeDu('env', `env > ${directory}/seen; pwd >> ${directory}/seen; printf '2\\t.\\0'`);
    expect(await run(program).answer).toEqual({ amount: 1024, problem: undefined });
    const seen = readFileSync(join(directory, 'seen'), 'utf8');
    expect(seen).toMatch(/^LC_ALL=C$/m);
    expect(seen).not.toMatch(/BLOCK_SIZE/);
    expect(seen).toContain(`${directory}\n`);
    delete process.env.DU_BLOCK_SIZE;
  });

  test('at the lowest priority, in a group of its own', async () => {
    const program = fakeDu(
      'nice',
      `while [ "$(nice)" != 19 ]; do :; done; ps -o pgid= -p $$ | tr -d ' ' > ${directory}/group; echo $$ >> ${directory}/group; printf '2\\t.\\0'`,
    );
    await run(program).answer;
    const [group, pid] = readFileSync(join(directory, 'group'), 'utf8').split('\n');
    expect(group).toBe(pid);
    expect(getPriority()).toBeLessThan(19);
  });

  test('a partial result counts, with the reason', async () => {
    const program = fakeDu(
      'partial',
      `printf '6\\t.\\0'; echo "du: cannot read directory 'x': Permission denied" >&2; exit 1`,
    );
    expect(await run(program).answer).toEqual({
      amount: 3072,
      problem: "cannot read directory 'x': Permission denied",
    });
  });

  test('a tree that changes while it is walked is no problem', async () => {
    const program = fakeDu(
      'churn',
      `printf '6\\t.\\0'; echo "du: cannot access 'x': No such file or directory" >&2; exit 1`,
    );
    expect(await run(program).answer).toEqual({ amount: 3072, problem: undefined });
  });

  test('nothing told is a failure, with the reason', async () => {
    await expect(run(fakeDu('mute', 'exit 0')).answer).rejects.toThrow('du has told nothing');
    await expect(run(fakeDu('wrong', 'echo "du: invalid option" >&2; exit 1')).answer).rejects.toThrow(
      'invalid option',
    );
    await expect(run(join(directory, 'no-such-du')).answer).rejects.toThrow(/ENOENT/);
    await expect(run(fakeDu('killed', 'kill -9 $$')).answer).rejects.toThrow('du was ended by SIGKILL');
  });

  test('its time is limited: the group is killed, and what it has told counts', async () => {
    const program = fakeDu(
      'slow',
      `printf '6\\t./a\\0'; sleep 1000 & echo $! > ${directory}/child; sleep 1000; printf '8\\t.\\0'`,
    );
    const du = run(program, { timeoutMs: 300 });
    expect(await du.answer).toEqual({
      amount: 3072,
      problem: expect.stringMatching(/not through after 0.3 seconds/),
    });
    expect(du.isGone()).toBe(true);
    const child = Number(readFileSync(join(directory, 'child'), 'utf8'));
    const isDead = () => {
      try {
        return /^State:\s+Z/m.test(readFileSync(`/proc/${child}/status`, 'utf8'));
      } catch {
        return true;
      }
    };
    while (!isDead()) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test('an aborted one is killed, and its answer is the reason', async () => {
    const controller = new AbortController();
    const du = run(fakeDu('endless', 'sleep 1000'), { signal: controller.signal });
    controller.abort(new Error('the container has ended'));
    await expect(du.answer).rejects.toThrow('the container has ended');
    expect(du.isGone()).toBe(true);
    expect(() => run(fakeDu('endless', ''), { signal: controller.signal })).toThrow(
      'the container has ended',
    );
  });
});

describe('the meter', () => {
  const target = { subject: {}, directory, excludes: [], countFiles: false, signal: never };

  test('asks twice to count files too', async () => {
    const program = fakeDu(
      'both',
      'case "$*" in *--version*) echo "du (GNU coreutils) 9.1";; *--inodes*) printf "7\\t.\\0";; *) printf "2\\t.\\0";; esac',
    );
    expect(await new DuMeter(program, 5000).measure({ ...target, countFiles: true })).toEqual({
      usedBytes: 1024,
      files: 7,
      problem: undefined,
    });
  });

  test('does with a du that is not of GNU, as far as it goes', async () => {
    const program = fakeDu(
      'bsd',
      'case "$*" in *--version*) exit 64;; "-k -s -x -- .") echo "7	.";; *) exit 64;; esac',
    );
    const meter = new DuMeter(program, 5000);
    expect(await meter.measure(target)).toMatchObject({ usedBytes: 7168 });
    await expect(meter.measure({ ...target, countFiles: true })).rejects.toThrow(/cannot count files/);
    await expect(meter.measure({ ...target, excludes: ['data'] })).rejects.toThrow(/cannot leave out paths/);
  });
});
