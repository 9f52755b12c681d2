import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { seals } from '../syscalls/memfd.js';
import { CallTable, Label } from './call-table.js';
import { HEADER_BYTES } from './elf.js';
import { Program } from './program.js';
import { FIELD, RECORD_BYTES } from './record.js';
import { decodeReport, describeTable, failureMessage } from './report.js';
import { runTable } from './run-table.js';
import { RUNNERS } from './runner/bytes.js';
import { sealImage } from './sealed-image.js';

const source = (name: string): string =>
  fileURLToPath(new URL(`../../src/exec-stage/runner/${name}`, import.meta.url));
const installed = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

function assembled(file: string, prefix: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-runner-'));
  try {
    execFileSync(`${prefix}as`, ['-o', join(directory, 'runner.o'), source(file)]);
    execFileSync(`${prefix}objcopy`, [
      '-O',
      'binary',
      '-j',
      '.text',
      join(directory, 'runner.o'),
      join(directory, 'runner'),
    ]);
    return readFileSync(join(directory, 'runner'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A table that exits with `code`, computed from the status of a child that exits with it. */
function tableWithChild(code: number): CallTable {
  const table = new CallTable();
  const parent = new Label('parent');
  table.step('fork');
  const child = table.call('clone', [17, 0, 0, 0, 0], { jumpIfNotZero: parent });
  table.call('exit_group', [code]);
  table.place(parent);
  const status = table.memory(8);
  table.call('wait4', [child, status, 0, 0]);
  table.call('write', [1, table.string('waited\n'), 7]);
  table.call('exit_group', [table.compute(table.valueAt(status), { mask: 0xff00, shift: 8 })]);
  return table;
}

describe('the runner', () => {
  const cases = [
    ['x64', 'x86-64.S', process.arch === 'x64' ? '' : 'x86_64-linux-gnu-'],
    ['arm64', 'arm64.S', process.arch === 'arm64' ? '' : 'aarch64-linux-gnu-'],
  ] as const;
  for (const [architecture, file, prefix] of cases) {
    const available = installed(`${prefix}as`);
    if (!available) console.log(`skipped: ${file} is not assembled, ${prefix}as (binutils) is not installed`);
    (available ? test : test.skip)(`${file} assembles to the bytes that are checked in`, () => {
      expect(assembled(file, prefix).toString('hex')).toBe(RUNNERS[architecture].toString('hex'));
    });
  }

  const emulator = ['qemu-aarch64-static', 'qemu-aarch64'].find(installed);
  if (!emulator) console.log('skipped: the arm64 runner does not run, qemu-user-static is not installed');
  (emulator ? test : test.skip)('runs a table on arm64', () => {
    const directory = mkdtempSync(join(tmpdir(), 'caisson-arm64-'));
    try {
      const file = join(directory, 'image');
      writeFileSync(file, new Program(tableWithChild(42), { architecture: 'arm64' }).fill(), { mode: 0o700 });
      const result = spawnSync(emulator as string, [file], { encoding: 'utf8' });
      expect(result.stdout).toBe('waited\n');
      expect(result.status).toBe(42);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('a table', () => {
  test('clones, waits and computes the exit code of its child', () => {
    expect(runTable(tableWithChild(7))).toEqual({ exitCode: 7, output: 'waited\n', failure: undefined });
  });

  test('reports the failing record: step, call, arguments, errno, advice', () => {
    const table = new CallTable();
    table.step('enter');
    table.call('getpid', []);
    table.call('chdir', [table.slot('directory')]);
    const { exitCode, failure } = runTable(table, { directory: '/does/not/exist' });
    expect(exitCode).toBe(111);
    expect(failure).toMatchObject({
      step: 'enter',
      call: 'chdir',
      errno: 'ENOENT',
      advice: expect.stringContaining('working directory'),
    });
    expect(failure && failureMessage(failure)).toBe(
      'step enter: chdir(path="/does/not/exist"): ENOENT (No such file or directory)',
    );
  });

  test('a failure in a child is reported too', () => {
    const table = new CallTable();
    table.step('child');
    const parent = new Label('parent');
    const child = table.call('clone', [17, 0, 0, 0, 0], { jumpIfNotZero: parent });
    table.call('execve', [table.string('/no/such/program'), table.vector(['x']), table.vector([])]);
    table.place(parent);
    table.call('wait4', [child, table.memory(8), 0, 0]);
    table.call('exit_group', [3]);
    const { exitCode, failure } = runTable(table);
    expect(exitCode).toBe(3);
    expect(failure).toMatchObject({ call: 'execve', errno: 'ENOENT' });
  });

  test('tolerates the errnos it names, and no other', () => {
    const build = (errnos: string[]) => {
      const table = new CallTable();
      table.step('mask');
      const absent = new Label('absent');
      table.call('openat', [-100, table.string('/does/not/exist'), 0, 0], {
        tolerate: errnos,
        orElse: absent,
      });
      table.call('exit_group', [1]);
      table.place(absent);
      table.call('exit_group', [0]);
      return runTable(table);
    };
    expect(build(['ENOTDIR', 'ENOENT']).exitCode).toBe(0);
    expect(build(['EACCES']).failure).toMatchObject({ errno: 'ENOENT' });
  });

  test('makes a call again on EAGAIN where it was told to, and only there', () => {
    const build = (tryAgain: boolean) => {
      const table = new CallTable();
      table.step('read');
      const parent = new Label('parent');
      const ends = table.memory(8);
      table.call('pipe2', [ends, 0o4000]); // O_NONBLOCK: a read of the empty pipe is EAGAIN
      const read = table.compute(table.valueAt(ends), { mask: 0xffff_ffff });
      const write = table.compute(table.valueAt(ends, 4), { mask: 0xffff_ffff });
      if (tryAgain) {
        table.call('clone', [17, 0, 0, 0, 0], { jumpIfNotZero: parent });
        table.call('write', [write, table.string('x'), 1]);
        table.call('exit_group', [0]);
        table.place(parent);
      }
      table.call('read', [read, table.memory(8), 1], { tryAgain, expect: 1 });
      table.call('exit_group', [3]);
      return runTable(table);
    };
    expect(build(true).exitCode).toBe(3);
    expect(build(false).failure).toMatchObject({ call: 'read', errno: 'EAGAIN' });
  });

  test('fails on a result that was not expected', () => {
    const table = new CallTable();
    table.step('gate');
    table.call('write', [1, table.string('x'), 1], { expect: 2 });
    expect(runTable(table).failure).toMatchObject({ call: 'write', errno: undefined, result: 1 });
  });

  test('an init reaps every child until the one that matters ends', () => {
    const table = new CallTable();
    const [orphan, main, loop, found, done] = ['orphan', 'main', 'loop', 'found', 'done'].map(
      (name) => new Label(name),
    ) as Label[];
    if (!orphan || !main || !loop || !found || !done) throw new Error('unreachable');
    const CLONE_PARENT_SETTID = 0x100000;
    table.step('init');
    table.call('clone', [17, 0, 0, 0, 0], { jumpIfNotZero: orphan });
    table.call('exit_group', [1]);
    table.place(orphan);
    table.call('clone', [17 | CLONE_PARENT_SETTID, 0, table.operandOf(found), 0, 0], { jumpIfNotZero: main });
    table.call('exit_group', [5]);
    table.place(main);
    const status = table.memory(8);
    table.place(loop);
    const ended = table.call('wait4', [-1, status, 0, 0], { tolerate: ['EINTR'], orElse: loop });
    table.place(found);
    table.jumpIfEqual(ended, 0, done);
    table.jump(loop);
    table.place(done);
    table.call('exit_group', [table.compute(table.valueAt(status), { mask: 0xff00, shift: 8, add: 1 })]);
    expect(runTable(table).exitCode).toBe(6);
    expect(describeTable(table)).toContain('tolerates EINTR');
  });

  test('fills numbers, strings, buffers and vectors for each launch', () => {
    const table = new CallTable();
    table.step('run');
    table.call('execve', [table.slot('path'), table.slot('argv'), table.slot('environment')]);
    const program = new Program(table);
    for (const word of ['one', 'a much longer word'])
      expect(programOutput(program, { path: '/bin/echo', argv: ['echo', word], environment: [] })).toBe(
        `${word}\n`,
      );
    expect(() => program.fill({ path: '/bin/echo' })).toThrow('the slot argv of the table has no value');
    expect(() => program.fill({ path: 'a\0b', argv: [], environment: [] })).toThrow('NUL');
  });

  function programOutput(program: Program, values: Parameters<Program['fill']>[0]): string {
    return runTable(program.table, values).output;
  }

  test('any table decodes to what was put in', () => {
    const call = fc.constantFrom('getpid', 'close', 'chdir', 'umask', 'prctl' as const);
    const argument = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.string());
    fc.assert(
      fc.property(
        fc.array(fc.tuple(call, fc.array(argument, { maxLength: 5 })), { minLength: 1, maxLength: 40 }),
        (calls) => {
          const table = new CallTable();
          for (const [name, args] of calls) {
            table.step(`step ${name}`);
            table.call(
              name,
              args.map((a) => (typeof a === 'string' ? table.string(a.replaceAll('\0', '')) : a)),
            );
          }
          const image = new Program(table, { architecture: 'x64' }).fill();
          const tableAt = HEADER_BYTES + RUNNERS.x64.length;
          calls.forEach(([name, args], index) => {
            const record = image.subarray(
              tableAt + index * RECORD_BYTES,
              tableAt + (index + 1) * RECORD_BYTES,
            );
            expect(decodeReport(table, record)).toMatchObject({ step: `step ${name}`, call: name });
            args.forEach((a, i) => {
              if (typeof a === 'bigint') expect(record.readBigInt64LE(FIELD.arguments + i * 8)).toBe(a);
            });
          });
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('N8: the image is sealed: nobody can write to what is behind /proc/self/exe', () => {
  const fd = sealImage(new Program(tableWithChild(0)).fill(), 'memfd', '/tmp');
  expect(seals(fd)).toBe(0b1111);
  expect(() => writeFileSync(`/proc/self/fd/${fd}`, 'x', { flag: 'r+' })).toThrow('EPERM');
  closeSync(fd);
});

test('the image as an unlinked file is read-only and leaves no name', () => {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-image-'));
  try {
    const fd = sealImage(new Program(tableWithChild(0)).fill(), 'file', directory);
    expect(() => writeFileSync(fd, 'x')).toThrow('EBADF');
    expect(readdirSync(directory)).toEqual([]);
    closeSync(fd);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
