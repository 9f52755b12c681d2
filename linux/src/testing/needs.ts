import { spawnSync } from 'node:child_process';
import { kernelAtLeast } from '../proc/kernel.js';
import { busyboxProblem } from './busybox-rootfs.js';

/** What a test needs of the machine. */
export interface Needs {
  readonly root?: boolean;
  /** Programs in PATH. */
  readonly programs?: readonly string[];
  /** A static busybox, for `busyboxRootfs`. */
  readonly busybox?: boolean;
  readonly kernel?: readonly [major: number, minor: number];
  /** Anything else: the reason why not, or undefined. */
  readonly host?: () => string | undefined;
}

const installed = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v "$1"`, 'sh', program]).status === 0;

/** Why this machine can't run such a test, or undefined. */
export function unmet({ root, programs = [], busybox, kernel, host }: Needs): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (root && process.getuid?.() !== 0) return 'needs root';
  if (kernel && !kernelAtLeast(...kernel)) return `needs Linux ${kernel.join('.')}`;
  const absent = programs.filter((program) => !installed(program));
  if (absent.length > 0) return `${absent.join(', ')} not installed`;
  return (busybox ? busyboxProblem() : undefined) ?? host?.();
}

interface Skippable {
  readonly skip: unknown;
}

/**
 * `test` or `describe` where the machine has what is needed, else its `skip`, with the reason said aloud:
 *
 *     const kernelTest = needs(test, { root: true, programs: ['bwrap'] });
 */
export function needs<T extends Skippable>(test: T, what: Needs): T {
  const reason = unmet(what);
  if (reason === undefined) return test;
  console.log(`skipped: ${reason}`);
  return test.skip as T;
}

/** `needs(test, { root: true })`. */
export const asRoot = <T extends Skippable>(test: T): T => needs(test, { root: true });
