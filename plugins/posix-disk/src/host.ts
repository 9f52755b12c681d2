import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where a program is: first in PATH, then where systems have it, should the agent's PATH be empty. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/bin'];
  // A relative entry means another directory for every process.
  return directories
    .filter(isAbsolute)
    .map((directory) => join(directory, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why this host cannot run the isolator; undefined if it can. */
export const whyUnsupported = (): string | undefined =>
  findProgram('du') ? undefined : 'there is no program du in PATH (Debian: coreutils)';
