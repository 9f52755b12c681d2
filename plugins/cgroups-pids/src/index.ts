import { controllerProblem } from '@caisson/linux/cgroups';
import { definePlugin } from '@caisson/plugin-sdk';
import { PidsIsolator } from './isolator.js';
import { PidsOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'cgroups/pids',
      implementation: PidsIsolator,
      options: PidsOptions,
      requires: {
        platform: 'linux',
        root: true,
        launcher: 'linux',
        host: () => controllerProblem('pids'),
      },
      supportsNesting: true,
    },
  ],
});
