import { kernelAtLeast } from '@caisson/linux/proc';

/** Why this host cannot run the exec stage, or undefined. mount_setattr(2) is the youngest call that it makes. */
export function hostProblem(): string | undefined {
  if (process.arch !== 'x64' && process.arch !== 'arm64')
    return `there is no runner for the architecture ${process.arch}, only for x64 and arm64`;
  if (!kernelAtLeast(5, 12)) return 'the kernel is older than 5.12 (mount_setattr)';
  return undefined;
}
