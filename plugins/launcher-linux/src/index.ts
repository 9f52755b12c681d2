import { Cgroups, definePlugin, Mounts } from '@caisson/plugin-sdk';
import { hostProblem } from './host.js';
import { HostCgroups, HostMounts } from './host-services.js';
import { LinuxLauncher } from './launcher.js';
import { LinuxLauncherOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  launchers: [
    {
      name: 'linux',
      implementation: LinuxLauncher,
      options: LinuxLauncherOptions,
      requires: { platform: 'linux', root: true, host: hostProblem },
    },
  ],
  services: [
    { token: Cgroups, implementation: HostCgroups },
    { token: Mounts, implementation: HostMounts },
  ],
});
