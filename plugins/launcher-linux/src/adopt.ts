import { isErrno } from '@caisson/linux';
import type { Cgroups } from '@caisson/linux/cgroups';
import { openByIdentity, type ProcessIdentity, type Reaper } from '@caisson/linux/process';
import { pidfdGetfd } from '@caisson/linux/syscalls';
import type { Container, LauncherState } from '@caisson/plugin-sdk';
import { youngestChild } from './children.js';
import { statusFile } from './descriptors.js';
import { type LinuxLauncherState, LinuxProcess } from './linux-process.js';
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
    terminal: supervisor === undefined ? undefined : terminalOf(supervisor, state),
    tracking: findTrackingGroup(container, cgroups),
  });
}

/** The supervisor has held the master side open meanwhile. */
function terminalOf(supervisor: number, { terminal }: LinuxLauncherState): MasterSide | undefined {
  if (terminal === undefined) return undefined;
  try {
    return new MasterSide(pidfdGetfd(supervisor, terminal));
  } catch (error) {
    // It is ending, or has let go of it.
    if (isErrno(error, 'ESRCH', 'EBADF')) return undefined;
    throw error;
  }
}

const isOurs = (state: LauncherState): state is LinuxLauncherState =>
  isIdentity(state.supervisor) && isIdentity(state.process);

const isIdentity = (value: unknown): value is ProcessIdentity =>
  typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number';
