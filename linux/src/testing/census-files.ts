import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors.js';
import type { CensusEntry } from './census.js';

/** Given as a function where a hook makes the directories only later. */
export type WatchedDirectories = readonly string[] | (() => readonly string[]);

export const watched = (directories: WatchedDirectories): readonly string[] =>
  typeof directories === 'function' ? directories() : directories;

/** Everything below the directories and they themselves, with its type: a FIFO that was left is no file. */
export function fileEntries(directories: readonly string[]): CensusEntry[] {
  return directories.flatMap(below);
}

function below(directory: string): CensusEntry[] {
  return entriesOf(directory).flatMap((entry) => {
    const path = join(directory, entry.name);
    const text = `${path} (${typeOf(entry)})`;
    return [{ kind: 'file' as const, key: text, text }, ...(entry.isDirectory() ? below(path) : [])];
  });
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

function typeOf(entry: Dirent): string {
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return 'symbolic link';
  if (entry.isFIFO()) return 'FIFO';
  if (entry.isSocket()) return 'socket';
  return entry.isFile() ? 'file' : 'device';
}
