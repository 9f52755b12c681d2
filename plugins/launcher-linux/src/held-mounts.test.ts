import type { ResultReference } from '@caisson/linux/exec-stage';
import { LaunchPlan } from '@caisson/plugin-sdk';
import { describe, expect, test } from '@jest/globals';
import { compileTable } from './compile.js';
import { HeldMounts } from './held-mounts.js';

const tree = (record: number): ResultReference => ({ kind: 'result', record });

describe('what is held', () => {
  test('is found by path component, the deepest first', () => {
    const held = new HeldMounts();
    held.hold('/dev', tree(1));
    held.hold('/dev/pts', tree(2));
    expect(held.above('/dev')).toEqual({ tree: tree(1), below: '.' });
    expect(held.above('/dev/null')).toEqual({ tree: tree(1), below: 'null' });
    expect(held.above('/dev/pts/ptmx')).toEqual({ tree: tree(2), below: 'ptmx' });
    expect(held.above('/devices')).toBeUndefined();
    expect(held.above('/')).toBeUndefined();
  });

  test('is covered by a later mount above it', () => {
    const held = new HeldMounts();
    held.hold('/dev/pts', tree(1));
    held.hold('/device', tree(2));
    held.cover('/dev');
    held.hold('/dev', tree(3));
    expect(held.above('/dev/pts/0')).toEqual({ tree: tree(3), below: 'pts/0' });
    expect(held.above('/device/x')).toEqual({ tree: tree(2), below: 'x' });
  });
});

describe('a launch', () => {
  const plan = new LaunchPlan({ argv: ['true'], rootfs: '/rootfs' });
  plan.createNamespace('mount');
  plan.mount({ type: 'proc', target: '/proc', flags: [] });
  plan.mount({ type: 'tmpfs', target: '/dev', flags: [] });
  plan.mount({ type: 'tmpfs', target: '/dev/shm', flags: [], createTarget: 'directory' });
  plan.mount({ type: 'bind', source: '/data', target: '/data', recursive: true, flags: [] });
  plan.fileOperation({ kind: 'symlink', path: '/dev/fd', to: '/proc/self/fd' });
  plan.maskPath('/proc/keys');
  plan.makeReadOnly('/proc/sys');
  plan.makeReadOnly('/data/x');
  const table = compileTable(plan.data, 1);
  const text = (argument: unknown): string =>
    table.data[(argument as { data: number }).data]?.toString('latin1').replace(/\0$/, '') ?? '';
  const lookups = table.records
    .filter(({ call }) => ['openat2', 'openat', 'open_tree'].includes(call))
    .map(({ step, arguments: [from, path] }) => {
      const start = from as number | { record: number };
      return [step, typeof start === 'number' ? start : table.records[start.record]?.call, text(path)];
    });

  test('looks up what lies in its own filesystems from their descriptors, and the rest from the root', () => {
    expect(lookups).toEqual(
      expect.arrayContaining([
        ['mount-filesystems', 'open_tree', '/proc'],
        ['mount-filesystems', 'fsmount', 'shm'],
        ['make-files', 'fsmount', '.'],
        ['mask-paths', 'fsmount', 'null'],
        ['mask-paths', 'fsmount', 'keys'],
        ['make-read-only', 'fsmount', 'sys'],
        ['make-read-only', 'open_tree', '/data/x'],
      ]),
    );
    expect(lookups).not.toContainEqual(expect.arrayContaining(['/proc/keys']));
  });
});
