import { definePlugin } from '@caisson/plugin-sdk';
import { hostProblem } from './host.js';
import { LinuxLauncher } from './launcher.js';

export { errors } from './errors.js';

export default definePlugin({
  launchers: [
    {
      name: 'linux',
      implementation: LinuxLauncher,
      requires: { platform: 'linux', root: true, host: hostProblem },
    },
  ],
});
