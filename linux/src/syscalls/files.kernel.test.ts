import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isErrno } from '../errors.js';
import { libc } from '../libc.js';
import { asRoot, inMountNamespace, inNamespaces, needs, withCensus } from '../testing/index.js';
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  close,
  deviceNumber,
  executableMemfd,
  FILESYSTEM_MAGIC,
  fchownat,
  fgetxattr,
  filesystemMagic,
  fsetxattr,
  MFD,
  memfdCreate,
  mkdirat,
  mknodat,
  O,
  openat2,
  pipe,
  RESOLVE,
  readlinkat,
  SEAL,
  sealAll,
  seals,
  spliceToFile,
  symlinkat,
  tryLock,
  unlinkat,
  windowSize,
} from './index.js';

withCensus();

const rootTest = asRoot(test);
const failing = (code: string) => expect.objectContaining({ name: 'SyscallError', code });

describe('in a directory', () => {
  let path = '';
  let directory = -1;
  beforeEach(() => {
    path = fs.mkdtempSync(join(tmpdir(), 'caisson-files-'));
    directory = fs.openSync(path, O.O_PATH | O.O_DIRECTORY);
    fs.mkdirSync(join(path, 'sub'));
    fs.writeFileSync(join(path, 'file'), 'content');
    fs.symlinkSync('file', join(path, 'link'));
    fs.symlinkSync('/etc/passwd', join(path, 'absolute'));
    fs.symlinkSync('../../../../../../../etc/passwd', join(path, 'climbing'));
    fs.symlinkSync('loop', join(path, 'loop'));
  });
  afterEach(() => {
    close(directory);
    fs.rmSync(path, { recursive: true });
  });

  const { RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } = RESOLVE;
  const attempt = (name: string, resolve: number, flags: number = O.O_RDONLY) => {
    const fd = openat2(directory, name, flags, resolve);
    try {
      return fs.readFileSync(fd, 'utf8');
    } finally {
      close(fd);
    }
  };

  test('F1: openat2 keeps to its rules, where open would follow', () => {
    // Guard off: the link leads out.
    expect(attempt('climbing', 0)).toBe(fs.readFileSync('/etc/passwd', 'utf8'));
    expect(() => attempt('climbing', RESOLVE_BENEATH)).toThrow(failing('EXDEV'));
    expect(() => attempt('absolute', RESOLVE_BENEATH)).toThrow(failing('EXDEV'));
    expect(() => attempt('../x', RESOLVE_BENEATH)).toThrow(failing('EXDEV'));
    expect(() => attempt('link', RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)).toThrow(failing('ELOOP'));
    expect(() => attempt('loop', RESOLVE_BENEATH)).toThrow(failing('ELOOP'));
    // What an image may link stays inside its root.
    expect(() => attempt('climbing', RESOLVE_IN_ROOT)).toThrow(failing('ENOENT'));
    expect(attempt('/sub/../../file', RESOLVE_IN_ROOT)).toBe('content');
    expect(attempt('link', RESOLVE_BENEATH)).toBe('content');
  });

  test('F1: openat2 does not go through a magic link', () => {
    const magic = `/proc/self/fd/${directory}`;
    close(openat2(AT_FDCWD, magic, O.O_PATH, 0));
    expect(() => openat2(AT_FDCWD, magic, O.O_PATH, RESOLVE_NO_MAGICLINKS)).toThrow(failing('ELOOP'));
  });

  test('openat2 says what is missing', () => {
    expect(() => attempt('none', 0)).toThrow(failing('ENOENT'));
    expect(() => attempt('file/x', 0)).toThrow(failing('ENOTDIR'));
    expect(() => attempt('none', RESOLVE_BENEATH)).toThrow(
      `openat2(dirfd=${directory}, path="none", flags=0, resolve=RESOLVE_BENEATH): ENOENT (No such file or directory)`,
    );
  });

  test('what openat2 opens is closed at exec', () => {
    const fd = openat2(directory, 'file', O.O_RDONLY, 0);
    expect(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toMatch(/flags:\s+02\d{6}$/m);
    close(fd);
  });

  test('names are made and removed relative to a descriptor', () => {
    mkdirat(directory, 'made', 0o700);
    expect(fs.statSync(join(path, 'made')).mode & 0o777).toBe(0o700);
    symlinkat('made', directory, 'to');
    expect(readlinkat(directory, 'to')).toBe('made');
    unlinkat(directory, 'to');
    unlinkat(directory, 'made', AT_REMOVEDIR);
    expect(fs.existsSync(join(path, 'made'))).toBe(false);
  });

  test('each failure as the docstrings say', () => {
    fs.mkdirSync(join(path, 'full/x'), { recursive: true });
    expect(() => mkdirat(directory, 'sub', 0o755)).toThrow(failing('EEXIST'));
    expect(() => mkdirat(directory, 'none/x', 0o755)).toThrow(failing('ENOENT'));
    expect(() => mkdirat(directory, 'file/x', 0o755)).toThrow(failing('ENOTDIR'));
    expect(() => mknodat(directory, 'file', 0o010644, 0)).toThrow(failing('EEXIST'));
    expect(() => symlinkat('x', directory, 'file')).toThrow(failing('EEXIST'));
    expect(() => symlinkat('x', directory, 'none/x')).toThrow(failing('ENOENT'));
    expect(() => unlinkat(directory, 'none')).toThrow(failing('ENOENT'));
    expect(() => unlinkat(directory, 'full', AT_REMOVEDIR)).toThrow(failing('ENOTEMPTY'));
    expect(() => readlinkat(directory, 'file')).toThrow(failing('EINVAL'));
    expect(() => readlinkat(directory, 'none')).toThrow(failing('ENOENT'));
    expect(() => fchownat(directory, 'none', 1, 1)).toThrow(failing('ENOENT'));
    expect(() => windowSize(directory)).toThrow(failing('EBADF')); // O_PATH
    expect(() => close(9999)).toThrow(failing('EBADF'));
    expect(() => filesystemMagic(9999)).toThrow(failing('EBADF'));
  });

  test('ENOTTY for what is no terminal', () => {
    const fd = fs.openSync(join(path, 'file'), 'r');
    expect(() => windowSize(fd)).toThrow(failing('ENOTTY'));
    close(fd);
  });

  test('one lock at a time, until it is closed', () => {
    const [one, other] = [fs.openSync(join(path, 'file'), 'r'), fs.openSync(join(path, 'file'), 'r')];
    expect([tryLock(one), tryLock(one), tryLock(other)]).toEqual([true, true, false]);
    close(one);
    expect(tryLock(other)).toBe(true);
    close(other);
    expect(() => tryLock(9999)).toThrow(failing('EBADF'));
  });

  rootTest('extended attributes', () => {
    const fd = fs.openSync(join(path, 'file'), 'r');
    expect(fgetxattr(fd, 'trusted.caisson')).toBeUndefined();
    fsetxattr(fd, 'trusted.caisson', 'wér');
    expect(fgetxattr(fd, 'trusted.caisson')).toBe('wér');
    expect(() => fgetxattr(directory, 'trusted.caisson')).toThrow(failing('EBADF'));
    expect(() => fsetxattr(directory, 'trusted.caisson', 'x')).toThrow(failing('EBADF'));
    expect(() => fsetxattr(fd, 'nonsense.caisson', 'x')).toThrow(failing('EOPNOTSUPP'));
    close(fd);
  });

  rootTest('a device node has the numbers it was given', () => {
    const [major, minor] = [0x123, 0x45678];
    mknodat(directory, 'node', 0o020600, deviceNumber(major, minor));
    const { rdev } = fs.statSync(join(path, 'node'));
    expect([(rdev >>> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)]).toEqual([major, minor]);
  });

  rootTest('EPERM for who may not', () => {
    const codes = inNamespaces(
      [],
      ({ syscalls: s, fs: files, codeOf }, where) => {
        files.chmodSync(where, 0o777);
        const fd = files.openSync(where, 'r');
        const memfd = s.memfdCreate('x', 0);
        process.setegid?.(65534);
        process.seteuid?.(65534);
        return [
          codeOf(() => s.mknodat(fd, 'node', 0o020600, s.deviceNumber(1, 3))),
          codeOf(() => s.fchownat(fd, 'file', 1, 1)),
          codeOf(() => s.fsetxattr(fd, 'trusted.caisson', 'x')),
          codeOf(() => s.sealAll(memfd)), // made without MFD_ALLOW_SEALING
        ];
      },
      path,
    );
    expect(codes).toEqual(['EPERM', 'EPERM', 'EPERM', 'EPERM']);
  });

  rootTest('EBUSY for a mount point', () => {
    const code = inMountNamespace(({ syscalls: s, fs: files }, where) => {
      s.mount({ source: 'none', target: `${where}/sub`, type: 'tmpfs' });
      try {
        s.unlinkat(files.openSync(where, 'r'), 'sub', s.AT_REMOVEDIR);
        return 'ok';
      } catch (error) {
        return (error as { code: string }).code;
      }
    }, path);
    expect(code).toBe('EBUSY');
  });
});

test('F4: the filesystem of a descriptor is told', () => {
  const magicOf = (path: string) => {
    const fd = openat2(AT_FDCWD, path, O.O_PATH, 0);
    try {
      return filesystemMagic(fd);
    } finally {
      close(fd);
    }
  };
  expect(magicOf('/proc')).toBe(FILESYSTEM_MAGIC.proc);
  expect(magicOf('/proc/sys/kernel')).toBe(FILESYSTEM_MAGIC.proc);
  expect(magicOf('/sys')).toBe(FILESYSTEM_MAGIC.sysfs);
  expect(magicOf('/dev/pts')).toBe(FILESYSTEM_MAGIC.devpts);
});

test('a device number is packed as the kernel does it', () => {
  expect(deviceNumber(1, 3)).toBe(0x103);
  fc.assert(
    fc.property(fc.nat(0xfff), fc.nat(0xfffff), (major, minor) => {
      const packed = deviceNumber(major, minor);
      expect([(packed >>> 8) & 0xfff, (packed & 0xff) | ((packed >>> 12) & 0xfff00)]).toEqual([major, minor]);
    }),
  );
});

test('a pipe carries bytes, and EMFILE comes when there are too many', () => {
  const { readEnd, writeEnd } = pipe();
  fs.writeSync(writeEnd, 'x');
  expect(fs.readSync(readEnd, Buffer.alloc(8))).toBe(1);
  for (const fd of [readEnd, writeEnd]) close(fd);
  const codes = inNamespaces(
    ['--mount'],
    ({ syscalls: s, codeOf }) => {
      const { hard } = s.prlimit(0, s.RLIMITS.NOFILE);
      s.pipe(); // libc is loaded before there is nothing left to load it with
      s.prlimit(0, s.RLIMITS.NOFILE, { soft: 3n, hard });
      const answers = [
        codeOf(() => s.pipe()),
        codeOf(() => s.memfdCreate('x', 0)),
        codeOf(() => s.epollCreate()),
        codeOf(() => s.eventfd()),
      ];
      s.prlimit(0, s.RLIMITS.NOFILE, { soft: hard, hard });
      return answers;
    },
    null,
  );
  expect(codes).toEqual(['EMFILE', 'EMFILE', 'EMFILE', 'EMFILE']);
});

describe('what is in a pipe', () => {
  let path = '';
  let ends = pipe();
  beforeEach(() => {
    path = fs.mkdtempSync(join(tmpdir(), 'caisson-splice-'));
    ends = pipe();
  });
  afterEach(() => {
    close(ends.readEnd);
    fs.rmSync(path, { recursive: true });
  });
  const openFile = (flags: string) => fs.openSync(join(path, 'file'), flags);

  test('is moved to where it is wanted in a file; then there is nothing, and then no more', () => {
    const file = openFile('w+');
    fs.writeSync(file, 'before');
    fs.writeSync(ends.writeEnd, 'onetwo');
    expect(spliceToFile(ends.readEnd, file, 6, 3)).toBe(3);
    expect(spliceToFile(ends.readEnd, file, 9, 65536)).toBe(3);
    expect(spliceToFile(ends.readEnd, file, 12, 65536)).toBeUndefined();
    close(ends.writeEnd);
    expect(spliceToFile(ends.readEnd, file, 12, 65536)).toBe(0);
    close(file);
    expect(fs.readFileSync(join(path, 'file'), 'utf8')).toBe('beforeonetwo');
  });

  test('stays there if the file is open to append', () => {
    fs.writeSync(ends.writeEnd, 'one');
    const file = openFile('a');
    expect(() => spliceToFile(ends.readEnd, file, 0, 65536)).toThrow(failing('EINVAL'));
    for (const fd of [file, ends.writeEnd]) close(fd);
    expect(fs.readFileSync(ends.readEnd, 'utf8')).toBe('one');
  });

  rootTest('and on a full disk what fits is moved', () => {
    close(ends.writeEnd);
    const answers = inMountNamespace(({ syscalls: s, fs: files, codeOf }, where) => {
      s.mount({ source: 'none', target: where, type: 'tmpfs', data: 'size=4096' });
      const { readEnd, writeEnd } = s.pipe();
      files.writeSync(writeEnd, Buffer.alloc(5000, 'x'));
      const file = files.openSync(`${where}/file`, 'w');
      const moved = s.spliceToFile(readEnd, file, 0, 65536);
      const code = codeOf(() => s.spliceToFile(readEnd, file, 4096, 65536));
      return [moved, code, files.readSync(readEnd, Buffer.alloc(8192))];
    }, path);
    expect(answers).toEqual([4096, 'ENOSPC', 904]);
  });
});

describe('a memfd', () => {
  test('N8: sealed, can be neither written, resized nor unsealed; before, it can', () => {
    const fd = executableMemfd('caisson-test');
    fs.writeSync(fd, 'before');
    sealAll(fd);
    expect(seals(fd) & 0xf).toBe(
      SEAL.F_SEAL_SEAL | SEAL.F_SEAL_SHRINK | SEAL.F_SEAL_GROW | SEAL.F_SEAL_WRITE,
    );
    const again = fs.openSync(`/proc/self/fd/${fd}`, 'r+'); // what a container that gets hold of it would do
    for (const target of [fd, again]) {
      expect(() => fs.writeSync(target, 'x', 0)).toThrow('EPERM');
      expect(() => fs.ftruncateSync(target, 0)).toThrow('EPERM');
      expect(() => fs.ftruncateSync(target, 100)).toThrow('EPERM');
    }
    expect(() => sealAll(fd)).toThrow(failing('EPERM'));
    for (const each of [fd, again]) close(each);
  });

  test('EBUSY while it is mapped writable', () => {
    const mmap = libc('mmap', 'intptr_t', ['void*', 'size_t', 'int', 'int', 'int', 'long']);
    const munmap = libc('munmap', 'int', ['intptr_t', 'size_t']);
    const fd = memfdCreate('caisson-test', MFD.MFD_ALLOW_SEALING | MFD.MFD_CLOEXEC);
    fs.ftruncateSync(fd, 4096);
    const address = mmap(null, 4096, 3, 1, fd, 0);
    expect(() => sealAll(fd)).toThrow(failing('EBUSY'));
    munmap(address, 4096);
    sealAll(fd);
    close(fd);
  });

  needs(test, { root: true, kernel: [6, 3] })('EACCES where the kernel refuses executable ones', () => {
    const code = inNamespaces(
      ['--pid', '--fork', '--mount-proc'],
      ({ syscalls: s, fs: files }) => {
        files.writeFileSync('/proc/sys/vm/memfd_noexec', '2'); // of this pid namespace only
        try {
          s.executableMemfd('x');
          return 'ok';
        } catch (error) {
          return (error as { code: string }).code;
        }
      },
      null,
    );
    expect(code).toBe('EACCES');
  });
});

test('an errno is recognised in any error', () => {
  expect(isErrno(Object.assign(new Error('x'), { code: 'ENOENT' }), 'EPERM', 'ENOENT')).toBe(true);
  expect(isErrno({ code: 'ENOENT' }, 'ENOENT')).toBe(false);
});
