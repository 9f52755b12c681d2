import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const PLACES = ['/bin/busybox', '/usr/bin/busybox', '/bin/busybox.static'];
const PT_INTERP = 3;

/** The place of a busybox that needs no library: an ELF file without an interpreter. */
function staticBusybox(): string | undefined {
  return PLACES.find((path) => existsSync(path) && isStatic(readFileSync(path)));
}

/** 64-bit ELF, little-endian (elf(5)): no program header of the type PT_INTERP. */
function isStatic(elf: Buffer): boolean {
  const [headers, size, count] = [
    Number(elf.readBigUInt64LE(32)),
    elf.readUInt16LE(54),
    elf.readUInt16LE(56),
  ];
  return !Array.from({ length: count }, (_, i) => elf.readUInt32LE(headers + i * size)).includes(PT_INTERP);
}

/** Why `busyboxRootfs` can't work here, or undefined. */
export const busyboxProblem = (): string | undefined =>
  staticBusybox() ? undefined : 'needs a static busybox (Debian: busybox-static)';

let applets: string[] | undefined;

/** The programs that this busybox is. */
function appletsOf(busybox: string): string[] {
  applets ??= spawnSync(busybox, ['--list'], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  return applets;
}

/**
 * Builds a small root filesystem in `directory` (created if it doesn't exist): /bin with busybox and a link for each of
 * its programs, empty /proc, /sys, /dev, /tmp, /root, /etc with passwd and group (root, daemon, nobody, user 1000).
 *
 * @returns the directory
 */
export function busyboxRootfs(directory: string): string {
  const busybox = staticBusybox();
  if (!busybox) throw new Error(busyboxProblem());
  for (const name of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp', 'root', 'var'])
    mkdirSync(join(directory, name), { recursive: true, mode: 0o755 });
  chmodSync(join(directory, 'tmp'), 0o1777); // mkdir's mode is subject to the umask, and loses the sticky bit
  copyFileSync(busybox, join(directory, 'bin/busybox'), constants.COPYFILE_FICLONE);
  chmodSync(join(directory, 'bin/busybox'), 0o755);
  for (const applet of appletsOf(busybox))
    if (applet !== 'busybox') symlinkSync('busybox', join(directory, 'bin', applet));
  writeFileSync(join(directory, 'etc/passwd'), PASSWD);
  writeFileSync(join(directory, 'etc/group'), GROUP);
  return directory;
}

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
user:x:1000:1000:user:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`;
const GROUP = `root:x:0:
daemon:x:1:
wheel:x:10:root,user
user:x:1000:
nogroup:x:65534:
`;
