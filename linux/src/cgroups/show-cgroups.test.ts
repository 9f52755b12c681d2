import { describe, expect, test } from '@jest/globals';
import type { Cgroup } from './cgroup.js';
import { type PlanForCgroups, showCgroups } from './show-cgroups.js';

const cgroup = (mountPoint: string, version: 1 | 2, controllers: readonly string[]): Cgroup =>
  ({
    hierarchy: { mountPoint, version, controllers },
    toString: () => `${mountPoint}/caisson/web`,
  }) as unknown as Cgroup;

const TMPFS = { type: 'tmpfs', target: '/sys/fs/cgroup' };

/** What is added to a plan that begins with these mounts. */
function added(cgroups: readonly Cgroup[], ...start: { type: string; target: string }[]) {
  const mounts: { type: string; target: string; source?: string }[] = [...start];
  const operations: unknown[] = [];
  const plan: PlanForCgroups = {
    data: { mounts },
    mount: (mount) => void mounts.push(mount),
    fileOperation: (operation) => void operations.push(operation),
  };
  showCgroups(plan, cgroups);
  const shown = mounts.slice(start.length).map(({ source, target }) => [source, target]);
  return { shown, operations, mounts: mounts.slice(start.length) };
}

describe('a container with a root filesystem sees', () => {
  test('each hierarchy of version 1 where it is on the host, those mounted together by each name', () => {
    const hierarchies = [
      cgroup('/sys/fs/cgroup/cpu,cpuacct', 1, ['cpu', 'cpuacct']),
      cgroup('/sys/fs/cgroup/memory', 1, ['memory']),
    ];
    expect(added(hierarchies, TMPFS)).toMatchObject({
      shown: [
        ['/sys/fs/cgroup/cpu,cpuacct/caisson/web', '/sys/fs/cgroup/cpu,cpuacct'],
        ['/sys/fs/cgroup/memory/caisson/web', '/sys/fs/cgroup/memory'],
      ],
      operations: [
        { kind: 'symlink', path: '/sys/fs/cgroup/cpu', to: 'cpu,cpuacct' },
        { kind: 'symlink', path: '/sys/fs/cgroup/cpuacct', to: 'cpu,cpuacct' },
      ],
    });
  });

  test('the one of version 2 as /sys/fs/cgroup, once, whoever adds it', () => {
    const unified = cgroup('/sys/fs/cgroup', 2, ['cpu', 'memory']);
    const { shown, mounts } = added([unified], TMPFS);
    expect(shown).toEqual([['/sys/fs/cgroup/caisson/web', '/sys/fs/cgroup']]);
    expect(mounts[0]).toMatchObject({ flags: ['ro', 'nosuid', 'nodev', 'noexec'], recursive: false });
    expect(added([unified], TMPFS, { type: 'bind', target: '/sys/fs/cgroup' }).shown).toEqual([]);
  });

  test('nothing of them without one', () => {
    expect(added([cgroup('/sys/fs/cgroup/pids', 1, ['pids'])]).shown).toEqual([]);
  });
});
