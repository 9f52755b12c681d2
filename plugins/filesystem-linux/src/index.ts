import { definePlugin } from '@caisson/plugin-sdk';
import { whyUnsupported } from './host.js';
import { FilesystemLinuxIsolator } from './isolator.js';
import { FilesystemLinuxOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'filesystem/linux',
      implementation: FilesystemLinuxIsolator,
      options: FilesystemLinuxOptions,
      requires: {
        platform: 'linux',
        root: true,
        launcher: 'linux',
        conflicts: ['filesystem/*'],
        host: whyUnsupported,
      },
      supportsNesting: true,
      volumes: ['PERSISTENT'],
    },
  ],
});
