/**
 * Files that survive whatever ends this process (threat model K5): written to a temporary file, synced, renamed, the
 * directory synced; 0600. Writing in place lost the old content on a full disk. A file that can't be read is set aside
 * under another name, never deleted.
 */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf, withCause } from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { coreErrors } from '../errors.js';

const TEMPORARY = '.new';
const [TMPFS_MAGIC, RAMFS_MAGIC] = [0x01021994, 0x858458f6];
/** Directories of filesystems that live in memory (statfs(2)): fsync(2) does nothing there. */
const inMemory = new Set<string>();

/** Looks once whether what lies below a directory has to be synced. */
export function noteFilesystem(directory: string): void {
  if (process.platform !== 'linux') return;
  const { type } = statfsSync(directory);
  if (type === TMPFS_MAGIC || type === RAMFS_MAGIC) inMemory.add(`${directory}/`);
}

function isInMemory(file: string): boolean {
  for (const directory of inMemory) if (file.startsWith(directory)) return true;
  return false;
}
const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_RDONLY, O_DIRECTORY } = constants;

/**
 * On disk when it returns. Synchronous: on the tmpfs that state belongs on, it takes some 30 microseconds.
 *
 * @throws STATE_WRITE_FAILED; the old content is still there then
 */
export function writeState(file: string, content: string): void {
  const temporary = `${file}${TEMPORARY}`;
  const sync = !isInMemory(file);
  try {
    writeWhole(temporary, content, sync);
    failpoint('checkpoint.written');
    renameSync(temporary, file);
    if (sync) syncDirectory(dirname(file));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw withCause(coreErrors.STATE_WRITE_FAILED(file, messageOf(error)), error);
  }
}

function writeWhole(file: string, content: string, sync: boolean): void {
  // Node's types know flags by letters alone.
  const flag = (O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW) as unknown as string;
  // `flush` makes it open, write, sync and close by four calls of Node's; without, one does it all.
  writeFileSync(file, content, { flag, mode: 0o600, flush: sync });
}

/** A rename is durable once its directory is. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, O_RDONLY | O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Undefined if there is no such file. Throws what reading or `parse` throws. */
export function readState<T>(file: string, parse: (content: unknown) => T): T | undefined {
  const text = readIfThere(file);
  return text === undefined ? undefined : parse(JSON.parse(text));
}

/** Undefined if there is no such file. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Renames a file that can't be read to `<file>.corrupt-<n>` and returns the new name. */
export function setAside(file: string): string {
  for (let n = 1; ; n += 1) {
    const aside = `${file}.corrupt-${n}`;
    if (existsSync(aside)) continue;
    renameSync(file, aside);
    return aside;
  }
}

export const isSetAside = (name: string): boolean => /\.corrupt-\d+$/.test(name);

/** Removes what a writer that was killed has left in a directory. */
export function collectTemporaries(directory: string): void {
  for (const name of readdirSync(directory))
    if (basename(name).endsWith(TEMPORARY)) rmSync(join(directory, name), { force: true });
}
