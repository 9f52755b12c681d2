import { definePlugin } from '@caisson/plugin-sdk';
import { FilesystemPosixIsolator } from './isolator.js';
import { FilesystemPosixOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'filesystem/posix',
      implementation: FilesystemPosixIsolator,
      options: FilesystemPosixOptions,
      requires: { conflicts: ['filesystem/*'] },
      // Mesos leaves nested containers out, and what they ask for is then ignored without a word: here it is refused.
      supportsNesting: true,
      volumes: ['PERSISTENT'],
    },
  ],
});
