import { controllerProblem } from '@caisson/linux/cgroups';
import { definePlugin } from '@caisson/plugin-sdk';
import { MemoryIsolator } from './isolator.js';
import { MemoryOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'cgroups/mem',
      implementation: MemoryIsolator,
      options: MemoryOptions,
      requires: {
        platform: 'linux',
        root: true,
        launcher: 'linux',
        host: () => controllerProblem('memory'),
      },
      supportsNesting: true,
    },
  ],
});
