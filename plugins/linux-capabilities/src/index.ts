import { definePlugin } from '@caisson/plugin-sdk';
import { CapabilitiesIsolator } from './isolator.js';
import { CapabilitiesOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'linux/capabilities',
      implementation: CapabilitiesIsolator,
      options: CapabilitiesOptions,
      // The launcher posix takes nothing away from what it starts.
      requires: { platform: 'linux', root: true, launcher: 'linux' },
      supportsNesting: true,
    },
  ],
});
