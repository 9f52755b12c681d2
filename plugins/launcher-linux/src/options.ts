import { z } from '@caisson/plugin-sdk';

export const LinuxLauncherOptions = z
  .strictObject({
    forkServer: z
      .boolean()
      .default(true)
      .describe(
        'From the first launch on, keep a fork server, and a process in its namespaces that waits for the next launch. Off: each launch starts its own supervisor, which takes longer.',
      ),
  })
  .describe('Options of the launcher linux');

export type LinuxLauncherOptions = z.infer<typeof LinuxLauncherOptions>;
