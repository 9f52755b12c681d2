import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { adviceFor } from '../advice.js';
import { errnoName, errnoNumber, errnoText } from '../errno.js';
import { SyscallError } from '../errors.js';
import {
  bootId,
  hostUsers,
  isBelow,
  kernelAtLeast,
  lastCapability,
  listProcesses,
  Mounts,
  memfdNoexec,
  mountHolding,
  namespaceOf,
  parseGroup,
  parseMountinfo,
  parsePasswd,
  parseStat,
  readDatabase,
  readMountinfo,
  readStat,
  resolveUser,
} from './index.js';

describe('mountinfo', () => {
  test('is read with its optional fields and escapes', () => {
    const line =
      '36 35 98:0 /mnt1 /mnt\\0402\\134x\\012y rw,noatime shared:5 master:1 - ext3 /dev/ro\\011ot rw,errors=continue';
    expect(parseMountinfo(`${line}\n`)).toEqual([
      {
        id: 36,
        parentId: 35,
        device: '98:0',
        root: '/mnt1',
        mountPoint: '/mnt 2\\x\ny',
        options: ['rw', 'noatime'],
        shared: 5,
        master: 1,
        filesystem: 'ext3',
        source: '/dev/ro\tot',
        superOptions: ['rw', 'errors=continue'],
      },
    ]);
  });

  test('of this process has a root', () => {
    expect(readMountinfo().some(({ mountPoint }) => mountPoint === '/')).toBe(true);
    expect(new Mounts().list('self')).toEqual(readMountinfo());
    expect(readMountinfo(process.pid)).toEqual(readMountinfo());
  });

  test('lists what is below a directory, the latest first', () => {
    const order = new Mounts().below('/proc').map(({ id }) => id);
    expect(order).toEqual(
      readMountinfo()
        .filter(({ mountPoint }) => isBelow(mountPoint, '/proc'))
        .map(({ id }) => id)
        .reverse(),
    );
    expect(order.length).toBeGreaterThan(0);
  });

  test.each([
    ['/a/box', '/a/box', true],
    ['/a/box/x', '/a/box', true],
    ['/a/box2', '/a/box', false],
    ['/a', '/a/box', false],
    ['/anything', '/', true],
  ])('F6: %s is below %s, by component: %s', (path, directory, below) => {
    expect(isBelow(path, directory)).toBe(below);
  });
});

describe('a line of /proc/<pid>/stat', () => {
  test('may hold a command with spaces and parentheses', () => {
    const fields = ['S', 1, 22, 33, ...Array(7).fill(0), 5, 6, 7, 8, ...Array(4).fill(0), 4242].join(' ');
    expect(parseStat(`7 (a) b) (c) ${fields} 0 0`)).toMatchObject({
      pid: 7,
      command: 'a) b) (c',
      state: 'S',
      ppid: 1,
      processGroup: 22,
      session: 33,
      startTime: 4242,
    });
  });

  test('of this process', () => {
    expect(readStat(process.pid)).toMatchObject({ pid: process.pid, ppid: process.ppid });
    expect(readStat(0x7ffffffe)).toBeUndefined();
    expect(listProcesses().some(({ pid }) => pid === process.pid)).toBe(true);
    expect(namespaceOf('self', 'pid')).toMatch(/^pid:\[\d+\]$/);
    expect(namespaceOf(0x7ffffffe, 'pid')).toBeUndefined();
  });
});

describe('the kernel', () => {
  test.each([
    ['6.18.44-fc', 6, 18, true],
    ['6.18.44-fc', 6, 19, false],
    ['6.1.0-21-cloud-amd64', 5, 19, true],
    ['5.10', 6, 0, false],
    ['10.0', 6, 14, true],
  ])('%s is at least %d.%d: %s', (version, major, minor, expected) => {
    expect(kernelAtLeast(major, minor, version)).toBe(expected);
  });

  test('says what it has', () => {
    expect(bootId()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    expect(lastCapability()).toBeGreaterThanOrEqual(37);
    expect([0, 1, 2]).toContain(memfdNoexec());
  });
});

const DATABASE = {
  users: parsePasswd(
    'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/srv/web:\n1234:x:77:77::/:\nbad:x:-1:0::/:\nshort',
  ),
  groups: parseGroup('root:x:0:\nweb:x:1001:\naudio:x:29:web,root\nbad:x:99999999999:web\n'),
};

describe('F9: a user', () => {
  test('in a database is read, and what does not parse is left out', () => {
    expect(DATABASE.users.map(({ name }) => name)).toEqual(['root', 'web', '1234']);
    expect(DATABASE.groups.map(({ name }) => name)).toEqual(['root', 'web', 'audio']);
    expect(hostUsers().users.some(({ uid }) => uid === 0)).toBe(true);
  });

  test.each([
    ['web', { uid: 1000, gid: 1001, supplementaryGids: [29], name: 'web', home: '/srv/web' }],
    ['1000', { uid: 1000, gid: 1001, supplementaryGids: [29] }],
    ['web:audio', { uid: 1000, gid: 29, supplementaryGids: [] }],
    ['web:5', { uid: 1000, gid: 5, supplementaryGids: [] }],
    ['4242', { uid: 4242, gid: 0, supplementaryGids: [] }],
    ['1234', { uid: 1234, gid: 0 }], // a number is a number, also where a user has it as name
    ['4294967294:4294967294', { uid: 4294967294, gid: 4294967294 }],
  ])('%s is resolved', (spec, expected) => expect(resolveUser(spec, DATABASE)).toMatchObject(expected));

  test.each([
    ['nobody-here', 'there is no user "nobody-here"'],
    ['web:none', 'there is no group "none"'],
    ['4294967295', 'a uid is between 0 and 4294967294'],
    ['-1', 'a uid is between'],
    ['web:-1', 'a gid is between'],
    ['web:4294967295', 'a gid is between'],
    ['99999999999999999999', 'a uid is between'],
    ['', 'it must be like'],
    [':web', 'it must be like'],
    ['web:', 'it must be like'],
    ['a:b:c', 'it must be like'],
  ])('%j is refused with the reason', (spec, reason) =>
    expect(resolveUser(spec, DATABASE)).toEqual(expect.stringContaining(reason)),
  );

  test('of any text is resolved or refused', () => {
    fc.assert(
      fc.property(fc.string(), (spec) => {
        const result = resolveUser(spec, DATABASE);
        if (typeof result !== 'string') expect(result.uid).toBeLessThanOrEqual(4294967294);
      }),
    );
  });

  test('database is a regular file of at most 1 MiB: a FIFO does not hang', () => {
    const directory = mkdtempSync(join(tmpdir(), 'caisson-users-'));
    const at = (name: string) => join(directory, name);
    try {
      execFileSync('mkfifo', [at('fifo')]);
      writeFileSync(at('large'), '');
      truncateSync(at('large'), 1024 * 1024 + 1);
      symlinkSync('/dev/zero', at('device'));
      expect(() => readDatabase(at('fifo'))).toThrow('not a regular file');
      expect(() => readDatabase(at('large'))).toThrow('larger than 1 MiB');
      expect(() => readDatabase(at('device'))).toThrow('not a regular file');
      expect(() => readDatabase(directory)).toThrow('not a regular file');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('an error of a system call', () => {
  test('says what was attempted, on what, what the kernel said, and what to do', () => {
    const error = new SyscallError('execve', errnoNumber('ENOENT'), {
      path: 'a "b"',
      flags: 'MS_BIND|0x40',
      none: undefined,
    });
    expect(error.message).toBe(
      'execve(path="a \\"b\\"", flags=MS_BIND|0x40): ENOENT (No such file or directory)',
    );
    expect(error.hint).toBe(adviceFor('execve', 'ENOENT'));
    expect(error).toMatchObject({ code: 'ENOENT', errno: 2, kind: 'failed', syscall: 'execve' });
  });

  test('has the name that the man pages use', () => {
    expect([11, 95, 2].map(errnoName)).toEqual(['EAGAIN', 'EOPNOTSUPP', 'ENOENT']);
    expect(errnoName(9999)).toBe('errno 9999');
    expect(errnoNumber('EWOULDBLOCK')).toBe(11);
    expect(() => errnoNumber('ENONSENSE')).toThrow('no such errno');
    expect(errnoText('EBUSY')).toBe('Device or resource busy');
  });
});

test('the mount that a path lies in is the deepest, and the latest of a place', () => {
  const line = (id: number, mountPoint: string) => `${id} 1 0:1 / ${mountPoint} rw - tmpfs none rw\n`;
  const table = parseMountinfo([line(1, '/'), line(2, '/a'), line(3, '/a/b'), line(4, '/a')].join(''));
  const holding = (path: string) => mountHolding(path, table)?.id;
  expect(['/', '/ab', '/a', '/a/x', '/a/b/c'].map(holding)).toEqual([1, 1, 4, 4, 3]);
  expect(mountHolding('/a', [])).toBeUndefined();
});
