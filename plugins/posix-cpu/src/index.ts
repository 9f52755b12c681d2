import { definePlugin } from '@caisson/plugin-sdk';
import { PosixCpuIsolator } from './isolator.js';
import { PosixCpuOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'posix/cpu',
      implementation: PosixCpuIsolator,
      options: PosixCpuOptions,
      supportsNesting: true,
    },
  ],
});
