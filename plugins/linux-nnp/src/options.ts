import { z } from '@caisson/plugin-sdk';

/** linux/nnp has nothing to choose; strict, so that an option meant for another isolator is an error. */
export const NoNewPrivilegesOptions = z
  .strictObject({})
  .describe('linux/nnp: no container can gain privileges by executing a file. It has no options.');
