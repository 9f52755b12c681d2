import { Label } from '@caisson/linux/exec-stage';
import { AT_EMPTY_PATH, OPEN_TREE } from '@caisson/linux/syscalls';
import type { LaunchStep } from '../step.js';
import { moveOnto } from './mount-filesystems.js';
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
    for (const path of readOnlyPaths) {
      const absent = new Label(`no ${path}`);
      const target = table.openInside(path, { tolerate: ['ENOENT', 'ENOTDIR'], orElse: absent });
      const how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH;
      const tree = table.call('open_tree', [target, table.string(''), how]);
      setTreeAttributes(table, tree, ['ro']);
      moveOnto(table, tree, target);
      table.place(absent);
    }
  },
};
