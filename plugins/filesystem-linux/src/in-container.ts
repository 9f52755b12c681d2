/**
 * Mounts in a container that runs, made by a helper that enters its mount namespace: the host's own table never has them, so that
 * nobody else's launch copies them, nothing has to be undone after a crash, and the work directory need not be a shared mount (threat
 * model F6). The helper is a table of system calls with no memory, and no descriptor, of the agent's.
 */
import { CallTable, FIRST_GIVEN, Label, type ResultReference, runHelper } from '@caisson/linux/exec-stage';
import { AT_FDCWD, CLONE, MOVE_MOUNT, O, openHow, RESOLVE, UMOUNT } from '@caisson/linux/syscalls';
import type { ContainerId } from '@caisson/plugin-sdk';
import { errors } from './errors.js';

export interface MountNamespace {
  readonly fd: number;
  readonly workDir: string;
}

interface Place {
  /** As the container finds its sandbox. */
  readonly sandbox: string;
  readonly name: string;
}

const { O_PATH, O_DIRECTORY, O_CLOEXEC } = O;
const { RESOLVE_IN_ROOT, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV } =
  RESOLVE;
/** The container may have mounted something that never answers where its sandbox was. */
const PATIENCE_MS = 10_000;

/** Attaches a detached tree at a name in the sandbox, in place of another one that an agent which was killed has left there. */
export async function attachInContainer(
  id: ContainerId,
  namespace: MountNamespace,
  { tree, ...place }: Place & { readonly tree: number },
): Promise<void> {
  const attach = () => run(namespace, attachTable(place), [tree]);
  let failure = await attach();
  if (failure?.errno === 'EXDEV') {
    await detachInContainer(id, namespace, place);
    failure = await attach();
  }
  if (failure) throw errors.VOLUME_NOT_MOUNTED(id, place.name, failure.description, failure.errno);
}

/** @throws VOLUME_BUSY */
export async function detachInContainer(
  id: ContainerId,
  namespace: MountNamespace,
  place: Place,
): Promise<void> {
  const failure = await run(namespace, detachTable(place));
  if (failure?.errno === 'EBUSY') throw errors.VOLUME_BUSY(id, place.name);
  if (failure) throw errors.VOLUME_NOT_MOUNTED(id, place.name, failure.description, failure.errno);
}

const run = ({ fd, workDir }: MountNamespace, table: CallTable, more: readonly number[] = []) =>
  runHelper(table, { descriptors: [fd, ...more], directory: workDir, timeoutMs: PATIENCE_MS });

function attachTable({ sandbox, name }: Place): CallTable {
  const table = new CallTable();
  const directory = openSandbox(table, sandbox);
  table.step('attach');
  // NO_XDEV: what is a mount point already is not the one that was made for this.
  const target = open(table, directory, name, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  const empty = table.string('');
  const how = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;
  table.call('move_mount', [FIRST_GIVEN + 1, empty, target, empty, how]);
  table.call('exit_group', [0]);
  return table;
}

/** Not MNT_DETACH: programs that have files of it open would go on writing to what is somebody else's by then. */
function detachTable({ sandbox, name }: Place): CallTable {
  const table = new CallTable();
  const gone = new Label('gone');
  table.call('fchdir', [openSandbox(table, sandbox)]);
  table.step('detach');
  // The container may have unmounted it itself, where it has the capability for that.
  table.call('umount2', [table.string(name), UMOUNT.UMOUNT_NOFOLLOW], {
    tolerate: ['EINVAL', 'ENOENT'],
    orElse: gone,
  });
  table.place(gone);
  table.call('exit_group', [0]);
  return table;
}

/** The sandbox as the container has it: in its root, whatever its links are, and through none of /proc. */
function openSandbox(table: CallTable, sandbox: string): ResultReference {
  table.step('enter');
  table.call('setns', [FIRST_GIVEN, CLONE.CLONE_NEWNS]);
  const root = table.call('openat', [AT_FDCWD, table.string('/'), O_PATH | O_DIRECTORY | O_CLOEXEC, 0]);
  return open(table, root, sandbox, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

function open(table: CallTable, from: ResultReference, path: string, resolve: number): ResultReference {
  const how = table.bytes(openHow(O_PATH | O_DIRECTORY | O_CLOEXEC, resolve));
  return table.call('openat2', [from, table.string(path), how, 24], { tryAgain: true });
}
