/** The entries of a directory of a sandbox, and a piece of a file. */
import { lstatSync, readdirSync, readFileSync, readSync, type Stats } from 'node:fs';
import { join, posix } from 'node:path';
import type { ReadyContext } from '../context.js';
import { apiErrors } from '../errors.js';
import { type OpenFile, openBeneath } from './sandbox-file.js';
import { resolvePath } from './virtual-path.js';

export interface Entry {
  readonly path: string;
  readonly stat: Stats;
}

/** As the answers have it; times and modes they say each in its own way. */
export function describeEntries<T>(entries: readonly Entry[], more: (stat: Stats) => T) {
  const user = accountNames('/etc/passwd');
  const group = accountNames('/etc/group');
  return entries.map(({ path, stat }) => ({
    path,
    nlink: stat.nlink,
    size: stat.size,
    ...more(stat),
    uid: user(stat.uid),
    gid: group(stat.gid),
  }));
}

const MOST_ENTRIES = 10_000;

/** Opens what the path names, for as long as `use` takes; `directory` is a path to it that nobody can exchange. */
export async function withFile<T>(
  path: string,
  context: ReadyContext,
  use: (file: OpenFile, directory: string) => T,
): Promise<Awaited<T>> {
  const { base, parts, shown } = resolvePath(path, context);
  const file = openBeneath(base, parts, shown);
  try {
    return await use(file, process.platform === 'linux' ? `/proc/self/fd/${file.fd}` : join(base, ...parts));
  } finally {
    file.close();
  }
}

/** Sorted; of a file nothing. A link is an entry, and what it names is not looked at. */
export function listDirectory(path: string, context: ReadyContext): Promise<Entry[]> {
  return withFile(path, context, ({ stat }, directory) => {
    if (!stat.isDirectory()) return [];
    const names = readdirSync(directory).sort();
    if (names.length > MOST_ENTRIES)
      throw apiErrors.FILE_REFUSED(path, `it has more than ${MOST_ENTRIES} entries`);
    return names.flatMap((name) => {
      const entry = lstatSync(`${directory}/${name}`, { throwIfNoEntry: false });
      return entry ? [{ path: posix.join(path, name), stat: entry }] : [];
    });
  });
}

/** At most this much at once: a chunk of base64 is a third more, and it all lies in memory. */
export const LONGEST_READ = 256 * 1024;

export interface Piece {
  /** Of the whole file. */
  readonly size: number;
  readonly data: Buffer;
}

/** @param length  undefined: to the end, within the limit. @throws FILE_REFUSED for a directory */
export function readPiece(
  path: string,
  { offset, length }: { readonly offset: number; readonly length: number | undefined },
  context: ReadyContext,
): Promise<Piece> {
  return withFile(path, context, ({ fd, stat }) => {
    if (stat.isDirectory()) throw apiErrors.FILE_REFUSED(path, 'it is a directory');
    const wanted = Math.max(Math.min(length ?? LONGEST_READ, LONGEST_READ, stat.size - offset), 0);
    const data = Buffer.alloc(wanted);
    const count = wanted > 0 ? readSync(fd, data, 0, wanted, offset) : 0;
    return { size: stat.size, data: data.subarray(0, count) };
  });
}

/** The file types of inode(7). */
const KINDS = new Map([
  [0o140000, 's'],
  [0o120000, 'l'],
  [0o100000, '-'],
  [0o060000, 'b'],
  [0o040000, 'd'],
  [0o020000, 'c'],
  [0o010000, 'p'],
]);

/** `drwxr-x---`, as ls(1) writes it. */
export function modeText(mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-'));
  return (KINDS.get(mode & 0o170000) ?? '?') + bits.join('');
}

/** Names by number of /etc/passwd or /etc/group, read anew: they are small, and change. */
export function accountNames(file: '/etc/passwd' | '/etc/group'): (id: number) => string {
  const names = new Map<string, string>();
  try {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [name = '', , id = ''] = line.split(':');
      if (!names.has(id)) names.set(id, name);
    }
  } catch {
    // Numbers do as well.
  }
  return (id) => names.get(String(id)) ?? String(id);
}
