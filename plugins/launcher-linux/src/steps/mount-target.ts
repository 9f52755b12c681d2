import { type CallOptions, Label, type ResultReference } from '@caisson/linux/exec-stage';
import { MOVE_MOUNT } from '@caisson/linux/syscalls';
import { isBind, type Mount } from '@caisson/plugin-sdk';
import type { Descriptor, LaunchTable, Resolution } from '../launch-table.js';

const S_IFREG = 0o100000;

const components = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/**
 * mkdir -p inside the container, one component at a time on the parent's descriptor. What exists must be a real
 * directory: a link that dangled a moment ago may point anywhere by now.
 */
export function createDirectory(table: LaunchTable, path: string, mode: number): Descriptor {
  const { from, below } = table.startOf(path);
  return components(below).reduce<Descriptor>((parent, name) => {
    table.call('mkdirat', [parent, table.string(name), mode], { tolerate: ['EEXIST'] });
    return table.openChild(parent, name, 'directory');
  }, from);
}

/** An empty regular file, with the directories above it. */
export function createFile(table: LaunchTable, path: string): void {
  const names = components(path);
  const name = names.pop() as string;
  const parent = createDirectory(table, `/${names.join('/')}`, 0o755);
  table.call('mknodat', [parent, table.string(name), S_IFREG | 0o644, 0], { tolerate: ['EEXIST'] });
  table.openChild(parent, name, 'any');
}

// What the kernel itself writes to must not be behind a link of the image (threat model F4: CVE-2019-19921).
const resolutionFor = ({ type }: Mount): Resolution =>
  type === 'proc' || type === 'sysfs' ? 'no-links' : 'in-root';

/**
 * Where a mount of the plan goes, made if it shall be.
 * @param absent  where the table goes on if it is optional, and not there
 */
export function openTarget(mount: Mount, table: LaunchTable, absent?: Label): ResultReference {
  const { target, createTarget, optional } = mount;
  const resolution = resolutionFor(mount);
  const directory = !isBind(mount) || createTarget === 'directory';
  if (optional && !createTarget && absent)
    return table.openInside(target, {
      resolution,
      directory,
      tolerate: ['ENOENT', 'ENOTDIR'],
      orElse: absent,
    });
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
