import { normalize } from 'node:path';
import { z } from '@caisson/plugin-sdk';

const directory = z
  .string()
  .refine((path) => path.startsWith('/') && !path.includes('\0'), 'must be an absolute path')
  .transform((path) => normalize(path).replace(/(.)\/$/, '$1'));

export const HostPathVolumeOptions = z.strictObject({
  forceCreation: z
    .union([
      z.array(directory),
      z
        .string()
        .transform((text) => text.split(':').filter(Boolean))
        .pipe(z.array(directory)),
    ])
    .default([])
    .describe(
      'Directories of the host in and below which the source of a volume is made where it is missing, a list or separated by ":". What ' +
        'was made is removed with the container if it is empty then. Default: none, a missing source is an error. (Mesos: ' +
        '--host_path_volume_force_creation)',
    )
    .meta({ flag: 'host_path_volume_force_creation' }),
});
export type HostPathVolumeOptions = z.output<typeof HostPathVolumeOptions>;
