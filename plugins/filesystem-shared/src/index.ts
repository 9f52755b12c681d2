import { definePlugin } from '@caisson/plugin-sdk';
import { whyUnsupported } from './host.js';
import { FilesystemSharedIsolator } from './isolator.js';
import { FilesystemSharedOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'filesystem/shared',
      implementation: FilesystemSharedIsolator,
      options: FilesystemSharedOptions,
      requires: {
        platform: 'linux',
        root: true,
        launcher: 'linux',
        conflicts: ['filesystem/*'],
        host: whyUnsupported,
      },
      // Mesos leaves nested containers out: they would see the host's /tmp where their parent sees its own.
      supportsNesting: true,
      volumes: ['HOST_PATH', 'SANDBOX_PATH'],
    },
  ],
});
