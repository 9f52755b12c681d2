import { type CallOptions, Label, type ResultReference } from '@caisson/linux/exec-stage';
import { FSCONFIG, MOVE_MOUNT } from '@caisson/linux/syscalls';
import { type FilesystemMount, isBind, type LaunchPlanData, type Mount } from '@caisson/plugin-sdk';
import type { Descriptor, LaunchTable, Resolution } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { createDirectory, createFile } from './create-target.js';
import { mountAttributeBits } from './open-bind-sources.js';

const FS_CLOEXEC = 1;

/** Step mount-filesystems: the plan's mounts, in its order, each on a descriptor of its target (threat model F1, F2). */
export const mountFilesystems: LaunchStep = {
  name: 'mount-filesystems',
  needed: ({ mounts }) => mounts.length > 0,
  compile(plan, table) {
    for (const mount of plan.mounts) attach(plan, mount, table);
  },
};

function attach(plan: LaunchPlanData, mount: Mount, table: LaunchTable): void {
  const done = new Label(`after ${mount.target}`);
  const target = openTarget(mount, table, done);
  const tree = isBind(mount) ? table.bindSources.get(mount) : newFilesystem(plan, mount, table);
  moveOnto(table, tree as Descriptor, target);
  table.held.cover(mount.target);
  // What is optional may not be there; what is bound is hostile itself, links and all.
  if (!isBind(mount) && !mount.optional) table.held.hold(mount.target, tree as Descriptor);
  table.place(done);
}

/** Attaches a detached mount at a place that we hold. */
export function moveOnto(
  table: LaunchTable,
  tree: Descriptor,
  target: Descriptor,
  options: CallOptions = {},
): void {
  const empty = table.string('');
  const how = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;
  table.call('move_mount', [tree, empty, target, empty, how], options);
}

// What the kernel itself writes to must not be behind a link of the image (threat model F4: CVE-2019-19921).
const resolutionFor = ({ type }: Mount): Resolution =>
  type === 'proc' || type === 'sysfs' ? 'no-links' : 'in-root';

function openTarget(mount: Mount, table: LaunchTable, done: Label): ResultReference {
  const { target, createTarget, optional } = mount;
  const resolution = resolutionFor(mount);
  const directory = !isBind(mount) || createTarget === 'directory';
  if (optional && !createTarget)
    return table.openInside(target, { resolution, directory, tolerate: ['ENOENT', 'ENOTDIR'], orElse: done });
  if (!createTarget) return table.openInside(target, { resolution, directory });
  return findOrCreate(mount, table);
}

/** The target of a mount, made where it is missing. */
export function findOrCreate(mount: Mount, table: LaunchTable): ResultReference {
  const { target, createTarget } = mount;
  const resolution = resolutionFor(mount);
  const directory = !isBind(mount) || createTarget === 'directory';
  const open = new Label(`open ${target}`);
  const create = new Label(`create ${target}`);
  const use = new Label(`use ${target}`);
  table.place(open);
  const found = table.openInside(target, { resolution, directory, tolerate: ['ENOENT'], orElse: create });
  table.jump(use);
  table.place(create);
  if (createTarget === 'directory') createDirectory(table, target, 0o755);
  else createFile(table, target);
  table.jump(open);
  table.place(use);
  return found;
}

function newFilesystem(plan: LaunchPlanData, mount: FilesystemMount, table: LaunchTable): Descriptor {
  // The agent made the container's devpts itself, to hold the terminal's master side.
  if (mount.type === 'devpts' && plan.stdio === 'terminal') return table.descriptor('devpts');
  return createFilesystem(table, mount);
}

/** A detached mount of a new filesystem (fsopen(2), fsconfig(2), fsmount(2)). */
export function createFilesystem(
  table: LaunchTable,
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
