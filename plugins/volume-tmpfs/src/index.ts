import { definePlugin } from '@caisson/plugin-sdk';
import { TmpfsVolumeIsolator } from './isolator.js';
import { TmpfsVolumeOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'volume/tmpfs',
      implementation: TmpfsVolumeIsolator,
      options: TmpfsVolumeOptions,
      requires: { platform: 'linux', root: true, launcher: 'linux', isolators: ['filesystem/linux'] },
      supportsNesting: true,
      volumes: ['TMPFS'],
    },
  ],
});
