import { posix } from 'node:path';
import type { ResultReference } from '@caisson/linux/exec-stage';
import { deviceNumber } from '@caisson/linux/syscalls';
import type { FileOperation, LaunchPlanData } from '@caisson/plugin-sdk';
import { isAtOrBelow } from '../held-mounts.js';
import type { Descriptor, LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** The filesystem that was made ahead for this very folder, if nothing will cover it there. */
function filesystemOf(
  folder: string,
  { mounts }: LaunchPlanData,
  table: LaunchTable,
): Descriptor | undefined {
  const last = mounts.findLast(({ target }) => isAtOrBelow(folder, target));
  return last?.target === folder ? table.filesystems.get(last) : undefined;
}

/** Step fill-filesystems: the files of the step make-files that lie in a filesystem which was just made, before it is mounted. */
export const fillFilesystems: LaunchStep = {
  name: 'fill-filesystems',
  only: 'received',
  needed: ({ fileOperations }) => fileOperations.length > 0,
  compile(plan, table) {
    for (const operation of plan.fileOperations) {
      const filesystem = filesystemOf(posix.dirname(operation.path), plan, table);
      if (filesystem === undefined) continue;
      make(operation, filesystem, posix.basename(operation.path), table);
      table.made.add(operation);
    }
  },
};

/** Step make-files: directories, links and device nodes, on descriptors of the folders they lie in (threat model F3). */
export const makeFiles: LaunchStep = {
  name: 'make-files',
  needed: ({ fileOperations }) => fileOperations.length > 0,
  compile({ fileOperations }, table) {
    const folders = new Map<string, ResultReference>();
    for (const operation of fileOperations) {
      if (table.made.has(operation)) continue;
      const folder = posix.dirname(operation.path);
      const parent = folders.get(folder) ?? table.openInside(folder, { directory: true });
      folders.set(folder, parent);
      make(operation, parent, posix.basename(operation.path), table);
    }
  },
};

function make(operation: FileOperation, parent: Descriptor, name: string, table: LaunchTable): void {
  const at = table.string(name);
  switch (operation.kind) {
    case 'mkdir':
      table.call('mkdirat', [parent, at, operation.mode], { tolerate: ['EEXIST'] });
      table.openChild(parent, name, 'directory');
      break;
    case 'symlink':
      table.call('symlinkat', [table.string(operation.to), parent, at]);
      break;
    case 'mknod': {
      const type = operation.type === 'character' ? S_IFCHR : S_IFBLK;
      const device = deviceNumber(operation.major, operation.minor);
      table.call('mknodat', [parent, at, type | operation.mode, device]);
      break;
    }
  }
}
