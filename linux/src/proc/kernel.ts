import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** True if the running kernel is at least `major.minor`. */
export function kernelAtLeast(major: number, minor: number, version = release()): boolean {
  const [a = 0, b = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return a > major || (a === major && b >= minor);
}

/** vm.memfd_noexec: 2 refuses executable memfds; 0 where the kernel does not have it (before 6.3). */
export function memfdNoexec(): number {
  try {
    return Number(readFileSync('/proc/sys/vm/memfd_noexec', 'utf8'));
  } catch {
    return 0;
  }
}

let last: number | undefined;

/** The highest capability that the kernel knows. */
export function lastCapability(): number {
  last ??= readLastCapability();
  return last;
}

function readLastCapability(): number {
  try {
    return Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  } catch {
    return 40;
  }
}
