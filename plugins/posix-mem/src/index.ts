import { definePlugin } from '@caisson/plugin-sdk';
import { PosixMemIsolator } from './isolator.js';
import { PosixMemOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'posix/mem',
      implementation: PosixMemIsolator,
      options: PosixMemOptions,
      supportsNesting: true,
    },
  ],
});
