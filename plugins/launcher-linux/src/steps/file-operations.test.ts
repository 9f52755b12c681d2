import { deviceNumber } from '@caisson/linux/syscalls';
import type { FileOperation } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import type { LaunchTable } from '../launch-table.js';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { makeFiles } from './file-operations.js';

const rooted = (table: LaunchTable) => {
  table.root = table.call('open_tree', [0, 0, 0]);
};
const callsFor = (...fileOperations: FileOperation[]) =>
  callsOf(makeFiles, hostPlan('true', { fileOperations }), rooted).map(([name, ...args]) =>
    name === 'openat2' ? [name, args[0], args[1]] : [name, ...args],
  );

test('on the descriptor of the folder, which is opened once (F3)', () => {
  expect(
    callsFor(
      { kind: 'mknod', path: '/dev/null', mode: 0o666, type: 'character', major: 1, minor: 3 },
      { kind: 'symlink', path: '/dev/ptmx', to: 'pts/ptmx' },
    ),
  ).toEqual([
    ['openat2', '<earlier open_tree>', '/dev'],
    ['mknodat', '<openat2 0>', 'null', 0o020666, deviceNumber(1, 3)],
    ['symlinkat', 'pts/ptmx', '<openat2 0>', 'ptmx'],
  ]);
});

test('a directory that exists must be one, not a link to one', () => {
  const calls = callsOf(
    makeFiles,
    hostPlan('true', { fileOperations: [{ kind: 'mkdir', path: '/a/b', mode: 0o700 }] }),
    rooted,
  );
  expect(calls[1]).toEqual(['mkdirat', '<openat2 0>', 'b', 0o700, { to: 2, on: ['EEXIST'] }]);
  expect(calls[2]?.slice(0, 3)).toEqual(['openat2', '<openat2 0>', 'b']);
});

test('a block device', () => {
  const operation = { kind: 'mknod', path: '/x', mode: 0o600, type: 'block', major: 8, minor: 300 } as const;
  expect(callsFor(operation)[1]).toEqual(['mknodat', '<openat2 0>', 'x', 0o060600, deviceNumber(8, 300)]);
});
