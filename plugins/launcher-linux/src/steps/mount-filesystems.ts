import { Label } from '@caisson/linux/exec-stage';
import { type FilesystemMount, isBind, type LaunchPlanData, type Mount } from '@caisson/plugin-sdk';
import type { Descriptor, LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { createFilesystem } from './create-filesystems.js';
import { moveOnto, openTarget } from './mount-target.js';

/** Step mount-filesystems: the plan's mounts, in its order, each on a descriptor of its target (threat model F1, F2). */
export const mountFilesystems: LaunchStep = {
  name: 'mount-filesystems',
  needed: ({ mounts }) => mounts.length > 0,
  compile(plan, table) {
    for (const mount of plan.mounts) {
      if (table.placed.has(mount)) continue;
      if (table.assemblesAhead && table.filesystems.has(mount)) attachTree(mount, table);
      else attach(plan, mount, table);
    }
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

/** With all that was put together in it. */
function attachTree(mount: Mount, table: LaunchTable): void {
  const target = table.held.without(mount.target, () => openTarget(mount, table));
  moveOnto(table, table.filesystems.get(mount) as Descriptor, target);
}

function newFilesystem(plan: LaunchPlanData, mount: FilesystemMount, table: LaunchTable): Descriptor {
  // The agent made the container's devpts itself, to hold the terminal's master side.
  if (mount.type === 'devpts' && plan.stdio === 'terminal') return table.descriptor('devpts');
  return table.filesystems.get(mount) ?? createFilesystem(table, mount);
}
