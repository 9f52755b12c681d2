import { z } from '@caisson/plugin-sdk';

/** filesystem/posix has nothing to choose; strict, so that an option meant for another isolator is an error. */
export const FilesystemPosixOptions = z
  .strictObject({})
  .describe('filesystem/posix: containers share the filesystem of the host. It has no options.');
