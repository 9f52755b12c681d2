import { definePlugin } from '@caisson/plugin-sdk';
import { RlimitsIsolator } from './isolator.js';
import { RlimitsOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'posix/rlimits',
      implementation: RlimitsIsolator,
      options: RlimitsOptions,
      // The launcher posix starts a container through a shell that has half of the limits, and refuses a plan with any.
      requires: { platform: 'linux', launcher: 'linux' },
      supportsNesting: true,
    },
  ],
});
