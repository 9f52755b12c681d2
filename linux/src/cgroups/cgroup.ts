import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { isErrno, SyscallError } from '../errors.js';
import { close, fchownat, mkdirat, unlinkat } from '../syscalls/files.js';
import { AT_EMPTY_PATH, AT_REMOVEDIR, O } from '../syscalls/flags.js';
import type { Hierarchy } from './hierarchy.js';
import { componentsOf, joinPath, lastName, parentPath } from './paths.js';

/** A file system call that Node made: the same error as of our own calls, saying on which cgroup. */
function failed(error: unknown, syscall: string, args: Record<string, unknown>): unknown {
  const errno = (error as NodeJS.ErrnoException).errno;
  return errno === undefined ? error : new SyscallError(syscall, Math.abs(errno), args);
}

/** One cgroup: a place in a hierarchy. It holds no descriptor; each call opens beneath the hierarchy's root. */
export class Cgroup {
  constructor(
    readonly hierarchy: Hierarchy,
    /** Relative to the hierarchy's root; '' is the root. */
    readonly path: string,
  ) {}

  /** For people: where it is on this host. */
  toString(): string {
    return joinPath(this.hierarchy.mountPoint, this.path);
  }

  child(name: string): Cgroup {
    return this.hierarchy.cgroup(joinPath(this.path, name));
  }

  /** False too for a control file. */
  exists(): boolean {
    try {
      close(this.openDirectory());
      return true;
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  /** A descriptor of the directory, for clone3's CLONE_INTO_CGROUP; the caller closes it. @throws SyscallError  ENOENT */
  openDirectory(flags: number = O.O_PATH): number {
    return this.hierarchy.open(this.path, flags | O.O_DIRECTORY);
  }

  /**
   * Makes it, and the ones above it that don't exist.
   * @throws SyscallError  EEXIST it exists already; EAGAIN over cgroup.max.*; ENOSPC
   */
  create(mode = 0o755): void {
    const above = componentsOf(this.path).slice(0, -1);
    for (const [index] of above.entries()) {
      const path = above.slice(0, index + 1).join('/');
      try {
        makeDirectory(this.hierarchy, path, 0o755);
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    }
    makeDirectory(this.hierarchy, this.path, mode);
  }

  /** Removes it; cgroups below it and processes keep it alive. @throws SyscallError  EBUSY; ENOENT */
  removeDirectory(): void {
    const parent = this.hierarchy.open(parentPath(this.path), O.O_PATH | O.O_DIRECTORY);
    try {
      unlinkat(parent, lastName(this.path), AT_REMOVEDIR);
    } finally {
      close(parent);
    }
  }

  /** The cgroups directly below it. Empty if it does not exist. */
  children(): Cgroup[] {
    let fd: number;
    try {
      fd = this.openDirectory(O.O_RDONLY);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
    try {
      return readdirSync(`/proc/self/fd/${fd}`, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => this.child(name));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENODEV')) return []; // removed meanwhile
      throw error;
    } finally {
      close(fd);
    }
  }

  /** It and all below it, the deepest first: the order to remove them in. */
  subtree(): Cgroup[] {
    return [...this.children().flatMap((child) => child.subtree()), this];
  }

  /** A control file's text. @throws SyscallError  ENOENT no such cgroup or file; ENODEV it was removed meanwhile */
  read(file: string): string {
    const fd = this.hierarchy.open(joinPath(this.path, file), O.O_RDONLY);
    try {
      return readFileSync(fd, 'utf8').trimEnd();
    } catch (error) {
      throw failed(error, 'read', { cgroup: String(this), file });
    } finally {
      close(fd);
    }
  }

  /** A number; `max` (version 2) is Infinity. */
  readNumber(file: string): number {
    const text = this.read(file);
    return text === 'max' ? Number.POSITIVE_INFINITY : Number(text);
  }

  /** Lines of `key value`, as of memory.stat, cpu.stat, memory.events. */
  readFields(file: string): Record<string, number> {
    const lines = this.read(file).split('\n').filter(Boolean);
    return Object.fromEntries(
      lines.map((line) => {
        const space = line.lastIndexOf(' ');
        return [line.slice(0, space), Number(line.slice(space + 1))];
      }),
    );
  }

  /**
   * Writes a control file, in one write(2) as the kernel wants it.
   * @throws SyscallError  EINVAL the kernel does not take the value; ENOENT; EBUSY; ESRCH no such process
   */
  write(file: string, value: string | number | bigint): void {
    const fd = this.hierarchy.open(joinPath(this.path, file), O.O_WRONLY);
    try {
      writeSync(fd, String(value));
    } catch (error) {
      throw failed(error, 'write', { cgroup: String(this), file, value: String(value) });
    } finally {
      close(fd);
    }
  }

  /**
   * Moves a process with all its threads into it.
   * @throws SyscallError  ESRCH no such process; EBUSY it hands on controllers (version 2); ENOSPC its `cpuset.cpus` is empty
   */
  add(pid: number): void {
    this.write('cgroup.procs', pid);
  }

  /** The processes directly in it, zombies left out. Empty if it does not exist. */
  pids(): number[] {
    try {
      // 0 is a process of a pid namespace that we don't see. The list may hold one twice (cgroups(7)).
      return [...new Set(this.read('cgroup.procs').split('\n').map(Number))].filter((pid) => pid > 0);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return []; // the last: a threaded cgroup
      throw error;
    }
  }

  /** The processes in it and below it. */
  allPids(): number[] {
    return this.subtree().flatMap((cgroup) => cgroup.pids());
  }

  /** Hands the directory to a user, not its files: the limits stay ours. */
  setOwner(uid: number, gid: number): void {
    const fd = this.openDirectory();
    try {
      fchownat(fd, '', uid, gid, AT_EMPTY_PATH);
    } finally {
      close(fd);
    }
  }
}

function makeDirectory(hierarchy: Hierarchy, path: string, mode: number): void {
  const parent = hierarchy.open(parentPath(path), O.O_PATH | O.O_DIRECTORY);
  try {
    mkdirat(parent, lastName(path), mode);
  } finally {
    close(parent);
  }
}
