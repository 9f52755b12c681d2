import { fstatSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { isErrno, SyscallError } from '../errors.js';
import type { MountEntry } from '../proc/mountinfo.js';
import { close, FILESYSTEM_MAGIC, filesystemMagic, openat2 } from '../syscalls/files.js';
import { AT_FDCWD, O, RESOLVE } from '../syscalls/flags.js';
import { Cgroup } from './cgroup.js';
import { componentsOf } from './paths.js';

/** Nothing below a hierarchy is a link, leads out of it, or is another mount (threat model F1, F4). */
const WITHIN =
  RESOLVE.RESOLVE_BENEATH |
  RESOLVE.RESOLVE_NO_SYMLINKS |
  RESOLVE.RESOLVE_NO_MAGICLINKS |
  RESOLVE.RESOLVE_NO_XDEV;

/**
 * A tree of cgroups: one of version 1 with its controllers (or only a name), or the one of version 2.
 *
 * It holds one descriptor, of its root, checked once to be of a cgroup filesystem; everything else is opened beneath it
 * for the moment of its use, so that a thousand containers cost no descriptors.
 */
export class Hierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** Of a version 1 hierarchy without controllers, such as `systemd`. */
  readonly name: string | undefined;
  readonly #mount: MountEntry;
  readonly #known: ReadonlySet<string>;
  #root: number | undefined;

  constructor(mount: MountEntry, knownControllers: ReadonlySet<string>) {
    this.#mount = mount;
    this.#known = knownControllers;
    this.version = mount.filesystem === 'cgroup2' ? 2 : 1;
    this.mountPoint = mount.mountPoint;
    this.name = mount.superOptions.find((option) => option.startsWith('name='))?.slice('name='.length);
  }

  /** Such as `memory`, `pids`. In version 2, what the root offers its children. */
  get controllers(): readonly string[] {
    if (this.version === 1) return this.#mount.superOptions.filter((option) => this.#known.has(option));
    return this.cgroup('').read('cgroup.controllers').split(' ').filter(Boolean);
  }

  /** The cgroup at a path relative to the hierarchy's root. Touches nothing: it need not exist. */
  cgroup(path: string): Cgroup {
    componentsOf(path);
    return new Cgroup(this, path);
  }

  /** Where a process is in this hierarchy; undefined if it has ended or is outside of what is mounted. */
  cgroupOf(pid: number | 'self'): Cgroup | undefined {
    const line = membershipLines(pid).find((fields) => this.#isMine(fields));
    const path = line?.[2];
    if (path === undefined || path.endsWith(' (deleted)')) return undefined;
    const root = this.#mount.root === '/' ? '' : this.#mount.root;
    if (path !== root && !path.startsWith(`${root}/`)) return undefined;
    const within = path.slice(root.length + 1);
    return within.split('/').includes('..') ? undefined : this.cgroup(within);
  }

  #isMine([id, controllers = '']: readonly string[]): boolean {
    if (this.version === 2) return id === '0';
    const list = controllers.split(',');
    if (this.name !== undefined) return list.includes(`name=${this.name}`);
    return this.controllers.some((controller) => list.includes(controller));
  }

  /**
   * Opens a directory or file of the hierarchy; the caller closes it.
   * @throws SyscallError  ENOENT; what openat2 says
   */
  open(path: string, flags: number): number {
    return openat2(this.#rootDescriptor(), path === '' ? '.' : path, flags, WITHIN);
  }

  #rootDescriptor(): number {
    this.#root ??= openRoot(this.#mount);
    return this.#root;
  }

  /** Gives the descriptor back; the hierarchy can be used again after it. */
  close(): void {
    if (this.#root !== undefined) close(this.#root);
    this.#root = undefined;
  }
}

/** A mount may lie under a later one at the same place: what is opened is checked, not what was listed. */
function openRoot({ mountPoint, device, filesystem }: MountEntry): number {
  const fd = openat2(AT_FDCWD, mountPoint, O.O_PATH | O.O_DIRECTORY, RESOLVE.RESOLVE_NO_MAGICLINKS);
  const { dev } = fstatSync(fd);
  const found = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  const magic = filesystem === 'cgroup2' ? FILESYSTEM_MAGIC.cgroup2 : FILESYSTEM_MAGIC.cgroup;
  if (filesystemMagic(fd) === magic && found === device) return fd;
  close(fd);
  throw new SyscallError('openat2', constants.errno.ENODEV, {
    mountPoint,
    expected: `${filesystem} ${device}`,
    found,
  });
}

/** /proc/<pid>/cgroup: id, controllers, path (cgroups(7)). Empty if the process has ended. */
function membershipLines(pid: number | 'self'): string[][] {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [id = '', controllers = '', ...path] = line.split(':'); // a path may hold colons
        return [id, controllers, path.join(':')];
      });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}
