import { execFile } from 'node:child_process';
import { readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

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
  await promisify(execFile)('rm', ['-rf', oneFilesystem, '--', name], {
    cwd: directory,
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
  });
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
