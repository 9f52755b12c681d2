import { definePlugin } from '@caisson/plugin-sdk';
import { whyUnsupported } from './host.js';
import { NetClsIsolator } from './isolator.js';
import { NetClsOptions } from './options.js';

export { errors } from './errors.js';

export default definePlugin({
  isolators: [
    {
      name: 'cgroups/net_cls',
      implementation: NetClsIsolator,
      options: NetClsOptions,
      requires: { platform: 'linux', root: true, launcher: 'linux', host: whyUnsupported },
      supportsNesting: true,
    },
  ],
});
