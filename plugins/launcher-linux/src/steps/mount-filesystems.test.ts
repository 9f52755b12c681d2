import { FSCONFIG, MOUNT_ATTR } from '@caisson/linux/syscalls';
import type { Mount } from '@caisson/plugin-sdk';
import { describe, expect, test } from '@jest/globals';
import type { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan, type PlanEdit } from '../testing/standard-plan.js';
import { mountFilesystems } from './mount-filesystems.js';
import { mountTerminals, takeTerminal } from './take-terminal.js';

const rooted = (table: LaunchTable) => {
  table.root = table.call('open_tree', [0, 0, 0]);
};
const callsFor = (mounts: readonly Mount[], edit: PlanEdit = {}) =>
  callsOf(mountFilesystems, hostPlan('true', { mounts: [...mounts], ...edit }), rooted);
const namesFor = (mounts: readonly Mount[], edit?: PlanEdit) => callsFor(mounts, edit).map(([name]) => name);
/** The resolve bits of the openat2 that opens the target. */
const resolutionOf = (mount: Mount) =>
  Number(Buffer.from(String(callsFor([mount])[0]?.[3]), 'hex').readBigUInt64LE(16));
const NO_SYMLINKS = 4;

describe('mount-filesystems', () => {
  test('a new filesystem with its options and flags, on the descriptor of its target', () => {
    const mount = {
      type: 'tmpfs',
      target: '/dev',
      flags: ['nosuid'],
      options: { mode: '755', x: true },
    } as const;
    expect(callsFor([mount]).slice(1)).toEqual([
      ['fsopen', 'tmpfs', 1],
      ['fsconfig', '<fsopen 1>', FSCONFIG.SET_STRING, 'source', 'tmpfs', 0],
      ['fsconfig', '<fsopen 1>', FSCONFIG.SET_STRING, 'mode', '755', 0],
      ['fsconfig', '<fsopen 1>', FSCONFIG.SET_FLAG, 'x', 0, 0],
      ['fsconfig', '<fsopen 1>', FSCONFIG.CMD_CREATE, 0, 0, 0],
      ['fsmount', '<fsopen 1>', 1, MOUNT_ATTR.MOUNT_ATTR_NOSUID],
      ['move_mount', '<fsmount 6>', '', '<openat2 0>', '', 0x44],
    ]);
  });

  test('targets of proc and sysfs are reached without any link (F4: CVE-2019-19921)', () => {
    expect(resolutionOf({ type: 'proc', target: '/proc', flags: [] }) & NO_SYMLINKS).not.toBe(0);
    expect(resolutionOf({ type: 'sysfs', target: '/sys', flags: [] }) & NO_SYMLINKS).not.toBe(0);
    expect(resolutionOf({ type: 'tmpfs', target: '/x', flags: [] }) & NO_SYMLINKS).toBe(0);
  });

  test('an absent optional target skips the mount, any other fails the launch', () => {
    const optional = { type: 'tmpfs', target: '/x', flags: [], optional: true } as const;
    const calls = callsFor([optional]);
    expect(calls[0]?.at(-1)).toEqual({ to: calls.length, on: ['ENOENT', 'ENOTDIR'] });
    expect(callsFor([{ ...optional, optional: false }])[0]).toHaveLength(5);
  });

  test('an absent target is made where that is asked for, component by component, and opened again', () => {
    const made = namesFor([{ type: 'tmpfs', target: '/a/b', flags: [], createTarget: 'directory' }]);
    expect(made.slice(0, 7)).toEqual([
      'openat2',
      'compute',
      'mkdirat',
      'openat2',
      'mkdirat',
      'openat2',
      'compute',
    ]);
    const file = {
      type: 'bind',
      source: '/s',
      target: '/a/f',
      flags: [],
      recursive: false,
      createTarget: 'file',
    } as const;
    const table = (t: LaunchTable) => {
      rooted(t);
      t.bindSources.set(file, t.call('open_tree', [0, 0, 0]));
    };
    const names = callsOf(mountFilesystems, hostPlan('true', { mounts: [file] }), table).map(
      ([name]) => name,
    );
    expect(names.slice(2, 6)).toEqual(['mkdirat', 'openat2', 'mknodat', 'openat2']);
  });
});

describe('a terminal', () => {
  const devpts = { type: 'devpts', target: '/dev/pts', flags: [] } as const;
  const namespaces = { create: ['mount' as const], enter: [] };

  test('its devpts is the one that the agent has made, not a second one', () => {
    const calls = callsFor([devpts], { stdio: 'terminal' });
    expect(calls.map(([name]) => name)).toEqual(['openat2', 'move_mount']);
    expect(calls[1]?.[1]).toBe(7);
    expect(namesFor([devpts])).toContain('fsopen');
  });

  test('is mounted at /dev/pts where no isolator has planned that', () => {
    const needed = (edit: PlanEdit) => mountTerminals.needed?.(hostPlan('true', { namespaces, ...edit }));
    expect(needed({ stdio: 'terminal' })).toBe(true);
    expect(needed({ stdio: 'terminal', mounts: [devpts] })).toBe(false);
    expect(needed({ stdio: 'files' })).toBe(false);
    expect(needed({ stdio: 'terminal', namespaces: { create: [], enter: [] } })).toBe(false);
  });

  test('controls the new session', () => {
    expect(callsOf(takeTerminal, hostPlan('true'))).toEqual([['ioctl', 0, 0x540e, 0]]);
  });
});
