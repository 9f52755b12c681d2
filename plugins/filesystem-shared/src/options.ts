import { z } from '@caisson/plugin-sdk';

/** filesystem/shared has nothing to choose: what is private, a container's volumes say. */
export const FilesystemSharedOptions = z
  .strictObject({})
  .describe(
    'filesystem/shared: volumes that make parts of the filesystem of the host private. It has no options; volumes that every ' +
      'container shall have are those of --default_container_info.',
  );
