import { definePlugin } from '@caisson/plugin-sdk';
import { whyUnsupported } from './host.js';
import { PidNamespaceIsolator } from './isolator.js';
import { PidNamespaceOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'namespaces/pid',
      implementation: PidNamespaceIsolator,
      options: PidNamespaceOptions,
      requires: {
        platform: 'linux',
        root: true,
        launcher: 'linux',
        // /proc is mounted anew, which must not be seen outside: in the mount namespace that filesystem/linux makes.
        isolators: ['filesystem/linux'],
        host: whyUnsupported,
      },
      supportsNesting: true,
    },
  ],
});
