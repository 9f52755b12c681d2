import { definePlugin } from '@caisson/plugin-sdk';
import { SandboxPathVolumeIsolator } from './isolator.js';
import { SandboxPathVolumeOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'volume/sandbox_path',
      implementation: SandboxPathVolumeIsolator,
      options: SandboxPathVolumeOptions,
      // filesystem/shared serves such volumes itself.
      requires: { conflicts: ['filesystem/shared'], after: ['filesystem/linux', 'filesystem/posix'] },
      supportsNesting: true,
      volumes: ['SANDBOX_PATH'],
    },
  ],
});
