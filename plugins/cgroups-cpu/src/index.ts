import { controllerProblem } from '@caisson/linux/cgroups';
import { definePlugin } from '@caisson/plugin-sdk';
import { CpuIsolator } from './isolator.js';
import { CpuOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'cgroups/cpu',
      implementation: CpuIsolator,
      options: CpuOptions,
      requires: {
        platform: 'linux',
        root: true,
        launcher: 'linux',
        host: () => controllerProblem('cpu'),
      },
      supportsNesting: true,
    },
  ],
});
