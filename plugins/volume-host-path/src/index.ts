import { definePlugin } from '@caisson/plugin-sdk';
import { HostPathVolumeIsolator } from './isolator.js';
import { HostPathVolumeOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'volume/host_path',
      implementation: HostPathVolumeIsolator,
      options: HostPathVolumeOptions,
      requires: { platform: 'linux', root: true, launcher: 'linux', isolators: ['filesystem/linux'] },
      supportsNesting: true,
      volumes: ['HOST_PATH'],
    },
  ],
});
