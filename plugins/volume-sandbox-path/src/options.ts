import { z } from '@caisson/plugin-sdk';

/** Nothing to choose: by mounts with filesystem/linux, by links without. */
export const SandboxPathVolumeOptions = z
  .strictObject({})
  .describe('volume/sandbox_path: directories of a sandbox elsewhere in a container. It has no options.');
