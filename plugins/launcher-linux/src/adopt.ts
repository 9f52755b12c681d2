import { closeSync } from 'node:fs';
import { isErrno } from '@caisson/linux';
import type { Cgroups } from '@caisson/linux/cgroups';
import { openByIdentity, type ProcessIdentity, type Reaper } from '@caisson/linux/process';
import { pidfdGetfd } from '@caisson/linux/syscalls';
import type { Container, LauncherState } from '@caisson/plugin-sdk';
import { youngestChild } from './children.js';
import { statusFile } from './descriptors.js';
import { type LinuxLauncherState, LinuxProcess } from './linux-process.js';
import { HeldPipes } from './pipes.js';
import { MasterSide } from './terminal.js';
import { findTrackingGroup } from './tracking-group.js';

/** Takes up what an earlier agent has started: by identity, never by a number alone (threat model N12). */
export function adoptContainer(
  container: Container,
  state: LauncherState,
  reaper: Reaper,
  cgroups: Cgroups,
): LinuxProcess | undefined {
  if (!isOurs(state)) return undefined;
  const supervisor = openByIdentity(state.supervisor);
  const first = openByIdentity(state.process);
  const joined = state.joins && supervisor !== undefined && first === undefined;
  const child = joined ? youngestChild(state.supervisor.pid) : undefined;
  return new LinuxProcess({
    id: container.id,
    state,
    pid: child?.pid ?? state.process.pid,
    pair: { supervisor, container: child?.pidfd ?? first },
    statusPath: statusFile(container),
    reaper,
    cgroups,
    terminal: supervisor === undefined ? undefined : terminalOf(supervisor, state, reaper),
    pipes: supervisor === undefined ? undefined : pipesOf(supervisor, state, reaper),
    tracking: findTrackingGroup(container, cgroups),
  });
}

/** The supervisor has held the master side open meanwhile. */
function terminalOf(
  supervisor: number,
  { terminal }: LinuxLauncherState,
  reaper: Reaper,
): MasterSide | undefined {
  const [master] = takeBack(supervisor, terminal === undefined ? [] : [terminal]) ?? [];
  return master === undefined ? undefined : new MasterSide(master, reaper);
}

/** And its pipes. */
function pipesOf(supervisor: number, { pipes }: LinuxLauncherState, reaper: Reaper): HeldPipes | undefined {
  if (pipes === undefined) return undefined;
  const taken = takeBack(supervisor, [pipes.stdin, pipes.stdout, pipes.stderr]);
  if (!taken) return undefined;
  const [stdin, stdout, stderr] = taken as [number, number, number];
  return new HeldPipes({ stdin, stdout, stderr }, reaper);
}

/** Copies of descriptors that the supervisor holds; undefined if it is ending, or has let go of them. */
function takeBack(supervisor: number, descriptors: readonly number[]): number[] | undefined {
  const taken: number[] = [];
  try {
    for (const fd of descriptors) taken.push(pidfdGetfd(supervisor, fd));
    return taken;
  } catch (error) {
    for (const fd of taken) closeSync(fd);
    if (isErrno(error, 'ESRCH', 'EBADF')) return undefined;
    throw error;
  }
}

const isOurs = (state: LauncherState): state is LinuxLauncherState =>
  isIdentity(state.supervisor) && isIdentity(state.process);

const isIdentity = (value: unknown): value is ProcessIdentity =>
  typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number';
