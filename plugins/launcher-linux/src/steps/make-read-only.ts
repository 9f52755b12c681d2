import { Label } from '@caisson/linux/exec-stage';
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, MOVE_MOUNT, OPEN_TREE } from '@caisson/linux/syscalls';
import type { Descriptor, LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { moveOnto } from './mount-target.js';
import { setTreeAttributes } from './open-bind-sources.js';

const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE } = OPEN_TREE;

/**
 * Step make-read-only: each path on itself, with what is mounted below. The copy keeps nosuid, nodev and noexec, which a
 * remount with MS_RDONLY alone would clear (threat model F5).
 */
export const makeReadOnly: LaunchStep = {
  name: 'make-read-only',
  needed: ({ readOnlyPaths }) => readOnlyPaths.length > 0,
  compile({ readOnlyPaths }, table) {
    makeAll(
      readOnlyPaths.filter((path) => !table.protectedPaths.has(path)),
      table,
    );
  },
};

/** Step make-read-only-ahead: those in filesystems that were just put together. */
export const makeReadOnlyAhead: LaunchStep = {
  name: 'make-read-only-ahead',
  only: 'received',
  needed: ({ readOnlyPaths }) => readOnlyPaths.length > 0,
  compile({ readOnlyPaths }, table) {
    if (!table.assemblesAhead) return;
    const paths = readOnlyPaths.filter((path) => table.held.above(path));
    makeAll(paths, table);
    for (const path of paths) table.protectedPaths.add(path);
  },
};

function makeAll(paths: readonly string[], table: LaunchTable): void {
  for (const path of paths) {
    const absent = new Label(`no ${path}`);
    const { from, below, held } = table.startOf(path);
    if (held && !below.includes('/')) {
      overItself(from, below, absent, table);
      continue;
    }
    const target = table.openInside(path, { tolerate: ['ENOENT', 'ENOTDIR'], orElse: absent });
    const how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
    const tree = table.call('open_tree', [target, table.string(''), how]);
    setTreeAttributes(table, tree, ['ro']);
    moveOnto(table, tree, target);
    table.place(absent);
  }
}

/** One name in a filesystem that is ours alone needs no descriptor: nobody can put a link there. */
function overItself(from: Descriptor, name: string, absent: Label, table: LaunchTable): void {
  const how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW;
  const options = { tolerate: ['ENOENT', 'ENOTDIR'], orElse: absent };
  const tree = table.call('open_tree', [from, table.string(name), how], options);
  setTreeAttributes(table, tree, ['ro']);
  const flags = MOVE_MOUNT.F_EMPTY_PATH;
  table.call('move_mount', [tree, table.string(''), from, table.string(name), flags]);
  table.place(absent);
}
