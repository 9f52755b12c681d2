import { z } from '@caisson/plugin-sdk';

/** posix/cpu has nothing to choose; strict, so that an option meant for another isolator is an error. */
export const PosixCpuOptions = z
  .strictObject({})
  .describe('posix/cpu: reports the cpu time of containers and limits nothing. It has no options.');
