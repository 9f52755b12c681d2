import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@caisson/plugin-sdk';

/** What a container that did nothing leaves in its sandbox. */
const USUAL_FILES = ['stdout', 'stderr'];

/**
 * Removes `name` in a directory of ours, a tree that a container wrote to. Node's `fs.rm` walks by path and was led out
 * of the tree in 90 of 300 races; rm(1) goes by directory descriptor, never (threat model F7). Most sandboxes need
 * neither.
 */
export async function removeTree(directory: string, name: string): Promise<void> {
  if (removedAtOnce(join(directory, name))) return;
  const oneFilesystem = process.platform === 'linux' ? '--one-file-system' : '-x';
  try {
    await rm(directory, name, oneFilesystem);
  } catch (error) {
    if (!/since it's on a different device/.test(messageOf(error)) || mountsBelow(join(directory, name)))
      throw error;
    await rm(directory, name);
  }
}

const rm = (directory: string, name: string, ...options: string[]) =>
  promisify(execFile)('rm', ['-rf', ...options, '--', name], {
    cwd: directory,
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
  });

/**
 * A subvolume of btrfs has a device of its own, and anybody can make one in a directory of his. It is no mount, and may be
 * removed with the rest; what is mounted is somebody's.
 */
function mountsBelow(path: string): boolean {
  const escaped = path.replace(
    /[ \t\n\\]/g,
    (each) => `\\${each.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4]?.startsWith(`${escaped}/`));
}

/** False if there is more than that. Looks before it acts: a call that fails costs as much as three that don't. */
function removedAtOnce(path: string): boolean {
  try {
    const names = readdirSync(path);
    if (!names.every((name) => USUAL_FILES.includes(name))) return false;
    for (const name of names) unlinkSync(join(path, name));
    rmdirSync(path);
    return true;
  } catch (error) {
    // `stdout` may be a directory: rm(1) knows what to do.
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
