import { definePlugin } from '@caisson/plugin-sdk';
import { NoNewPrivilegesIsolator } from './isolator.js';
import { NoNewPrivilegesOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'linux/nnp',
      implementation: NoNewPrivilegesIsolator,
      options: NoNewPrivilegesOptions,
      // The launcher posix has no way to set the flag, and would leave it out without a word.
      requires: { platform: 'linux', launcher: 'linux' },
      supportsNesting: true,
    },
  ],
});
