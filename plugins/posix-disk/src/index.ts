import { definePlugin } from '@caisson/plugin-sdk';
import { whyUnsupported } from './host.js';
import { PosixDiskIsolator } from './isolator.js';
import { PosixDiskOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'posix/disk',
      aliases: ['disk/du'],
      implementation: PosixDiskIsolator,
      options: PosixDiskOptions,
      // A sandbox that its filesystem is to count must be empty at first.
      requires: { host: whyUnsupported, before: ['filesystem/*', 'volume/*'] },
      supportsNesting: true,
    },
  ],
});
