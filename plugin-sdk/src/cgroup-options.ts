import { z } from 'zod';
import { durationOption } from './values.js';

const root = z
  .string()
  .regex(
    /^[^/\u0000-\u0020]+(\/[^/\u0000-\u0020]+)*$/,
    'must be a relative path without empty components, spaces and control characters',
  )
  .refine(
    (path) => !path.split('/').some((name) => name === '.' || name === '..'),
    'must hold no "." or ".."',
  );

const directory = z
  .string()
  .refine((path) => path.startsWith('/') && !path.includes('\0'), 'must be an absolute path')
  .refine((path) => !path.split('/').includes('..'), 'must hold no ".."');

/**
 * The options of every isolator that gives containers cgroups, under the names of the flags of Mesos; to be spread into the
 * isolator's own schema. Isolators that are enabled together should have the same values.
 */
export const cgroupOptions = () => ({
  root: root
    .default('caisson')
    .meta({ flag: 'cgroups_root' })
    .describe(
      'The cgroup of each hierarchy that the cgroups of containers are below. It is made with the first container and removed ' +
        'with the last, unless it was there before. (Mesos: --cgroups_root)',
    ),
  hierarchy: directory
    .default('/sys/fs/cgroup')
    .meta({ flag: 'cgroups_hierarchy' })
    .describe(
      'Where a hierarchy is mounted that is not mounted yet: in a directory of this one, named for its controller. Hierarchies ' +
        'that are mounted are found wherever they are. (Mesos: --cgroups_hierarchy)',
    ),
  destroyTimeout: durationOption()
    .prefault('60secs')
    .meta({ flag: 'cgroups_destroy_timeout' })
    .describe(
      'How long the kernel may take to end and remove the cgroup of a container. After it the destroy fails, and is tried again. ' +
        '(Mesos: --cgroups_destroy_timeout)',
    ),
});
