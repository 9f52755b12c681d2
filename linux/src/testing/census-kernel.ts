import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isErrno } from '../errors.js';
import type { CensusEntry } from './census.js';

/** Mounts of our namespace, as their lines in mountinfo: the table must be the same byte for byte. */
export function mountEntries(): CensusEntry[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ kind: 'mount', key: line, text: line }));
}

/** Descriptors of this process, by what they lead to: the number may change, the target may not appear. */
export function descriptorEntries(): CensusEntry[] {
  return readdirSync('/proc/self/fd').flatMap((fd): CensusEntry[] => {
    const target = targetOf(fd);
    return target === undefined ? [] : [{ kind: 'descriptor', key: target, text: `${fd} -> ${target}` }];
  });
}

/** Undefined for the descriptor that the listing itself had open. */
function targetOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
