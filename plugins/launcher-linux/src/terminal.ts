import { closeSync, fchownSync, openSync, writeSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import type { Reaper } from '@caisson/linux/process';
import {
  EPOLLOUT,
  F,
  FILESYSTEM_MAGIC,
  FSCONFIG,
  fcntl,
  filesystemMagic,
  fsconfig,
  fsmount,
  fsopen,
  ioctl,
  ioctlNumber,
  O,
  openat2,
  RESOLVE,
  setWindowSize,
} from '@caisson/linux/syscalls';
import type { ContainerTerminal, LaunchPlanData } from '@caisson/plugin-sdk';
import { mountAttributeBits } from './steps/open-bind-sources.js';

const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const CLOEXEC = 1;
const SAME_GROUP = -1;

/** A new devpts with one terminal in it, made by the agent before the container exists: so it holds the master side. */
export interface NewTerminal {
  readonly master: number;
  readonly slave: number;
  /** A detached mount, which the container attaches at its /dev/pts; of one that joins a container, that one's. */
  readonly devpts: number;
}

const DEFAULTS = { options: { mode: '0620', ptmxmode: '0666' }, flags: ['nosuid', 'noexec'] } as const;

/** @throws SyscallError  EPERM no CAP_SYS_ADMIN; ENOSPC no terminal left (kernel.pty.max) */
export function openTerminal(plan: LaunchPlanData): NewTerminal {
  const { windowSize, user } = plan;
  const devpts = joinedDevpts(plan) ?? plannedDevpts(plan);
  let master: number | undefined;
  let slave: number | undefined;
  try {
    master = openat2(
      devpts,
      'ptmx',
      O.O_RDWR | O.O_NOCTTY,
      RESOLVE.RESOLVE_NO_SYMLINKS | RESOLVE.RESOLVE_BENEATH | RESOLVE.RESOLVE_NO_XDEV,
    );
    ioctl(master, TIOCSPTLCK, Buffer.alloc(4));
    // By the master's descriptor: a path could lead to another terminal by now (threat model F3: CVE-2025-52565).
    slave = ioctlNumber(master, TIOCGPTPEER, O.O_RDWR | O.O_NOCTTY | O.O_CLOEXEC);
    // Programs open it again by its name. The group stays the one of the mount: `tty`.
    if (user) fchownSync(slave, user.uid, SAME_GROUP);
    if (windowSize) setWindowSize(master, windowSize);
    return { master, slave, devpts };
  } catch (error) {
    for (const fd of [slave, master, devpts]) if (fd !== undefined) closeSync(fd);
    throw error;
  }
}

/**
 * Of a container that joins the mounts of another: the /dev/pts there, so that its terminal has a name in it. Whatever
 * else the other one has put there is not asked for a terminal (threat model F3).
 */
function joinedDevpts({ namespaces }: LaunchPlanData): number | undefined {
  const joined = namespaces.enter.find(({ kind }) => kind === 'mount');
  if (!joined || namespaces.create.includes('mount')) return undefined;
  const root = openSync(`/proc/${joined.pid}/root`, O.O_PATH | O.O_DIRECTORY);
  let devpts: number | undefined;
  try {
    const { RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } = RESOLVE;
    devpts = openat2(root, 'dev/pts', O.O_PATH | O.O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
    if (filesystemMagic(devpts) === FILESYSTEM_MAGIC.devpts) return devpts;
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
  } finally {
    closeSync(root);
  }
  if (devpts !== undefined) closeSync(devpts);
  return undefined;
}

function plannedDevpts({ mounts }: LaunchPlanData): number {
  const planned = mounts.find(({ type }) => type === 'devpts');
  const { options = {}, flags } = planned && 'options' in planned ? planned : DEFAULTS;
  return newDevpts(options, mountAttributeBits(flags));
}

function newDevpts(options: Readonly<Record<string, string | true>>, attributes: number): number {
  const context = fsopen('devpts', CLOEXEC);
  try {
    fsconfig(context, FSCONFIG.SET_STRING, 'source', 'devpts');
    for (const [key, value] of Object.entries(options))
      if (value === true) fsconfig(context, FSCONFIG.SET_FLAG, key);
      else fsconfig(context, FSCONFIG.SET_STRING, key, value);
    fsconfig(context, FSCONFIG.CMD_CREATE);
    return fsmount(context, CLOEXEC, attributes);
  } finally {
    closeSync(context);
  }
}

/** The agent's side of the terminal. */
export class MasterSide implements ContainerTerminal {
  readonly #master: number;
  readonly #reaper: Reaper;
  #open = true;
  /** Writes follow one another. */
  #writing: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;

  constructor(master: number, reaper: Reaper) {
    this.#master = master;
    this.#reaper = reaper;
    // Whoever reads or writes too much would wait inside the kernel, for as long as the container likes.
    fcntl(master, F.F_SETFL, O.O_NONBLOCK);
  }

  /** A copy: ours stays, to change the window's size whatever the caller does with its own. */
  take(): number {
    return fcntl(this.#master, F.F_DUPFD_CLOEXEC);
  }

  write(data: Buffer): Promise<void> {
    const written = this.#writing.then(() => this.#writeAll(data));
    this.#writing = written.catch(() => {});
    return written;
  }

  resize(columns: number, rows: number): void {
    if (this.#open) setWindowSize(this.#master, { columns, rows });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reaper.unwatch(this.#master);
    this.#wake?.();
    closeSync(this.#master);
  }

  async #writeAll(data: Buffer): Promise<void> {
    for (let rest = data; rest.length > 0; ) {
      const written = this.#tryToWrite(rest);
      if (written === 0) await this.#hasRoom();
      rest = rest.subarray(written);
    }
  }

  /** A terminal takes some 64 KB that nobody reads, and then none. */
  #tryToWrite(data: Buffer): number {
    if (!this.#open) throw Object.assign(new Error('EIO: the terminal is closed'), { code: 'EIO' });
    try {
      return writeSync(this.#master, data);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  #hasRoom(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#reaper.watch(this.#master, resolve, EPOLLOUT);
    });
  }
}
