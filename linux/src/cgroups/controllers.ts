import type { Cgroup } from './cgroup.js';
import { componentsOf } from './paths.js';

/**
 * Lets a version 2 cgroup have controllers: each above it, from the root down, must hand them on. Does nothing in version 1.
 *
 * @throws SyscallError  EBUSY a cgroup above it has processes of its own ("no internal processes", cgroups(7));
 *                       ENOENT the kernel has no such controller, or version 1 has it
 */
export function enableControllers(cgroup: Cgroup, controllers: readonly string[]): void {
  const { hierarchy } = cgroup;
  if (hierarchy.version === 1) return;
  const components = componentsOf(cgroup.path);
  for (const [depth] of components.entries()) {
    const above = hierarchy.cgroup(components.slice(0, depth).join('/'));
    const enabled = above.read('cgroup.subtree_control').split(' ');
    const missing = controllers.filter((controller) => !enabled.includes(controller));
    if (missing.length > 0)
      above.write('cgroup.subtree_control', missing.map((name) => `+${name}`).join(' '));
  }
}
