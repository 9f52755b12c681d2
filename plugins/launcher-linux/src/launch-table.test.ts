import { describe, expect, test } from '@jest/globals';
import { FIRST_EXTRA, LaunchTable } from './launch-table.js';

const rooted = () => {
  const table = new LaunchTable();
  table.root = table.call('open_tree', [0, 0, 0]);
  return table;
};
/** `struct open_how` of the last record. */
function lastHow(table: LaunchTable): { flags: bigint; resolve: bigint } {
  const pointer = table.records.at(-1)?.arguments[2] as { data: number };
  const how = table.data[pointer.data] as Buffer;
  return { flags: how.readBigUInt64LE(0), resolve: how.readBigUInt64LE(16) };
}
const [NO_MAGICLINKS, NO_SYMLINKS, BENEATH, IN_ROOT] = [2n, 4n, 8n, 16n];

describe('paths', () => {
  test('inside the container stay in its root, and never go through a magic link (F1)', () => {
    const table = rooted();
    table.openInside('/etc');
    expect(lastHow(table).resolve).toBe(IN_ROOT | NO_MAGICLINKS);
    table.openInside('/proc', { resolution: 'no-links' });
    expect(lastHow(table).resolve).toBe(IN_ROOT | NO_SYMLINKS);
    table.openChild(table.root as never, 'x', 'any');
    expect(lastHow(table).resolve).toBe(BENEATH | NO_SYMLINKS);
  });

  test('of the host are resolved already: a link in one is new', () => {
    const table = rooted();
    table.openOnHost(table.slot('rootfs'), 'directory');
    expect(lastHow(table).resolve).toBe(NO_SYMLINKS);
  });

  test('are opened as places only, close-on-exec', () => {
    const [O_PATH, O_CLOEXEC] = [0o10000000n, 0o2000000n];
    const table = rooted();
    table.openInside('/etc');
    expect(lastHow(table).flags).toBe(O_PATH | O_CLOEXEC);
  });

  test('before the root is known are a mistake of a step', () => {
    expect(() => new LaunchTable().openInside('/etc')).toThrow(/before its root is known/);
  });
});

test('a descriptor that two steps ask for has one number', () => {
  const table = new LaunchTable();
  expect(['devpts', 'master', 'devpts'].map((name) => table.descriptor(name))).toEqual([
    FIRST_EXTRA,
    FIRST_EXTRA + 1,
    FIRST_EXTRA,
  ]);
});
