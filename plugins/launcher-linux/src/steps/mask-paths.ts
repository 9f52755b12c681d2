import { Label, type ResultReference } from '@caisson/linux/exec-stage';
import { AT_EMPTY_PATH, AT_FDCWD, OPEN_TREE } from '@caisson/linux/syscalls';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { createFilesystem, EMPTY_DIRECTORY } from './create-filesystems.js';
import { moveOnto } from './mount-target.js';
import { setTreeAttributes } from './open-bind-sources.js';

const { OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC } = OPEN_TREE;
// Where struct statx has what is checked (statx(2)).
const STATX = { size: 256, modeWord: 24, device: 128, basicStats: 0x7ff } as const;
const S_IFCHR = 0o020000;
const NULL_DEVICE = 1 + 3 * 2 ** 32; // major 1, minor 3

/** What is bound over a masked file must be the null device itself (threat model F3: CVE-2025-31133). */
function verifyNullDevice(table: LaunchTable, device: ResultReference): void {
  const stat = table.memory(STATX.size);
  table.call('statx', [device, table.string(''), AT_EMPTY_PATH, STATX.basicStats, stat]);
  table.requireEqual(table.valueAt(stat, STATX.modeWord), S_IFCHR, { mask: 0o170000 * 2 ** 32, shift: 32 });
  table.requireEqual(table.valueAt(stat, STATX.device), NULL_DEVICE);
}

/** Step mask-paths: absent is skipped, any other failure ends the launch (threat model F5). */
export const maskPaths: LaunchStep = {
  name: 'mask-paths',
  needed: ({ maskedPaths }) => maskedPaths.length > 0,
  compile({ maskedPaths }, table) {
    maskAll(
      maskedPaths.filter((path) => !table.protectedPaths.has(path)),
      table,
    );
  },
};

/** Step mask-paths-ahead: those in filesystems that were just put together, with the null device of theirs. */
export const maskPathsAhead: LaunchStep = {
  name: 'mask-paths-ahead',
  only: 'received',
  needed: ({ maskedPaths }) => maskedPaths.length > 0,
  compile({ maskedPaths }, table) {
    if (!table.assemblesAhead || !table.held.above('/dev/null')) return;
    const paths = maskedPaths.filter((path) => table.held.above(path));
    maskAll(paths, table);
    for (const path of paths) table.protectedPaths.add(path);
  },
};

function maskAll(paths: readonly string[], table: LaunchTable): void {
  if (paths.length === 0) return;
  const nullDevice = table.openInside('/dev/null', { resolution: 'no-links' });
  verifyNullDevice(table, nullDevice);
  for (const path of paths) mask(path, nullDevice, table);
}

/**
 * What it is, is found out by opening it: a mount that is made and then does not fit has to be taken down again, for which the
 * kernel waits until no processor can still see it.
 */
function mask(path: string, nullDevice: ResultReference, table: LaunchTable): void {
  const [done, file] = [new Label(`after ${path}`), new Label(`file ${path}`)];
  const absent = ['ENOENT', 'ENOTDIR'];
  const directory = table.openInside(path, { directory: true, tolerate: absent, orElse: file });
  moveOnto(table, emptyDirectory(table), directory);
  table.jump(done);
  table.place(file);
  const target = table.openInside(path, { tolerate: absent, orElse: done });
  const how = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
  const device = table.call('open_tree', [nullDevice, table.string(''), how]);
  setTreeAttributes(table, device, ['ro', 'nosuid', 'noexec']);
  moveOnto(table, device, target);
  table.place(done);
}

/**
 * Before its root filesystem is entered, who has let go of the host has an empty root: one more copy of it is quicker to make, and
 * to take down, than another filesystem.
 */
function emptyDirectory(table: LaunchTable): ResultReference {
  const rootIsEmpty = table.letsGoOfHost && !table.root;
  if (!rootIsEmpty) return createFilesystem(table, EMPTY_DIRECTORY);
  return table.call('open_tree', [AT_FDCWD, table.string('/'), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC]);
}
