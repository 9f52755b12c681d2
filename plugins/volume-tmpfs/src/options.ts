import { bytesOption, z } from '@caisson/plugin-sdk';

export const TmpfsVolumeOptions = z.strictObject({
  defaultLimit: bytesOption()
    .default(64 * 2 ** 20)
    .describe(
      'How much a volume holds that does not say so itself, such as 64MB (the default). What is in it is memory of the container: it ' +
        'counts with the processes that wrote it.',
    ),
  maximum: bytesOption()
    .optional()
    .describe(
      'The most that a volume may ask for; a container that asks for more is refused. Default: anything.',
    ),
});
export type TmpfsVolumeOptions = z.output<typeof TmpfsVolumeOptions>;
