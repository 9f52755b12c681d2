import { z } from '@caisson/plugin-sdk';

export const LinuxLauncherOptions = z
  .strictObject({
    waitingSupervisor: z
      .boolean()
      .default(false)
      .describe(
        'Keep one process waiting for the next launch, which is then quicker by the time that starting it takes. For agents that launch often; it costs some 50 KB while they are idle.',
      ),
  })
  .describe('Options of the launcher linux');

export type LinuxLauncherOptions = z.infer<typeof LinuxLauncherOptions>;
