import { type CallTable, Label, type ResultReference } from '@caisson/linux/exec-stage';
import { FSCONFIG } from '@caisson/linux/syscalls';
import { type FilesystemMount, isBind, type LaunchPlanData } from '@caisson/plugin-sdk';
import { isAtOrBelow } from '../held-mounts.js';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { moveOnto, openTarget } from './mount-target.js';
import { mountAttributeBits } from './open-bind-sources.js';

const FS_CLOEXEC = 1;

/** What nobody can put anything into: its one inode is the directory itself. */
export const EMPTY_DIRECTORY = {
  type: 'tmpfs',
  options: { size: '0', nr_inodes: '1' },
  flags: ['ro', 'nosuid', 'nodev', 'noexec'],
} as const;

/**
 * Those that can be made before anything else of the launch is known: the terminal's devpts is the agent's, and in a namespace
 * that is yet to be joined a filesystem would show something else.
 */
const madeAhead = ({ mounts, namespaces, stdio }: LaunchPlanData): FilesystemMount[] =>
  namespaces.enter.length > 0
    ? []
    : mounts.filter(
        (mount): mount is FilesystemMount =>
          !isBind(mount) && !(mount.type === 'devpts' && stdio === 'terminal'),
      );

/** Nothing but filesystems that are made ahead lies above, below or at the place of one of them. */
export function standApart(plan: LaunchPlanData): boolean {
  const ahead = madeAhead(plan);
  return ahead.every((mount) =>
    plan.mounts.every(
      (other) =>
        other === mount ||
        (ahead.includes(other as FilesystemMount)
          ? other.target !== mount.target
          : !isAtOrBelow(other.target, mount.target) && !isAtOrBelow(mount.target, other.target)),
    ),
  );
}

/**
 * Step create-filesystems: as detached mounts, in the namespaces of the container, for the step mount-filesystems; put together
 * where the kernel can do that.
 */
export const createFilesystems: LaunchStep = {
  name: 'create-filesystems',
  only: 'received',
  needed: (plan) => madeAhead(plan).length > 0,
  compile(plan, table) {
    for (const mount of madeAhead(plan)) {
      const tree = createFilesystem(table, mount);
      table.filesystems.set(mount, tree);
      if (table.assemblesAhead) assemble(mount, tree, table);
    }
  },
};

function assemble(mount: FilesystemMount, tree: ResultReference, table: LaunchTable): void {
  if (table.held.above(mount.target)) {
    const absent = new Label(`no ${mount.target}`);
    moveOnto(table, tree, openTarget(mount, table, absent));
    table.place(absent);
    table.placed.add(mount);
  }
  // What is optional may not be there.
  if (!mount.optional) table.held.hold(mount.target, tree);
}

/** A detached mount of a new filesystem (fsopen(2), fsconfig(2), fsmount(2)). */
export function createFilesystem(
  table: CallTable,
  { type, source, options = {}, flags }: Pick<FilesystemMount, 'type' | 'source' | 'options' | 'flags'>,
): ResultReference {
  const context = table.call('fsopen', [table.string(type), FS_CLOEXEC]);
  table.call('fsconfig', [
    context,
    FSCONFIG.SET_STRING,
    table.string('source'),
    table.string(source ?? type),
    0,
  ]);
  for (const [key, value] of Object.entries(options)) {
    if (value === true) table.call('fsconfig', [context, FSCONFIG.SET_FLAG, table.string(key), 0, 0]);
    else table.call('fsconfig', [context, FSCONFIG.SET_STRING, table.string(key), table.string(value), 0]);
  }
  table.call('fsconfig', [context, FSCONFIG.CMD_CREATE, 0, 0, 0]);
  return table.call('fsmount', [context, FS_CLOEXEC, mountAttributeBits(flags)]);
}
