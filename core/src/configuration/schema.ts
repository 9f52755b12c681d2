import { durationOption, z } from '@caisson/plugin-sdk';

const name = z.string().regex(/^[a-z0-9]+([._/-][a-z0-9]+)*$/, 'a name such as filesystem/linux is expected');

const packageName = z
  .string()
  .regex(/^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/, 'the name of a package is expected');

const isolation = z
  .array(name)
  .refine((names) => new Set(names).size === names.length, 'an isolator is named twice')
  .describe('isolators, in the order in which they prepare a container');

const launcher = name.describe('default: the one that the isolators require, else posix');

const directory = z.string().min(1);

const phase = (what: string, byDefault: string) =>
  durationOption().optional().describe(`how long ${what} may take, such as 30secs; default ${byDefault}`);

/** What a configuration file may say. Strict: an unknown key is an error. */
export const ConfigurationSchema = z.strictObject({
  isolation: isolation.optional(),
  launcher: launcher.optional(),
  plugins: z
    .array(packageName)
    .optional()
    .describe('packages of third parties; those of Caisson are found by the name of their isolator'),
  options: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .optional()
    .describe('by isolator; those of a launcher below launcher/<name>'),
  workDir: directory.optional().describe('what is kept: sandboxes, volumes, images'),
  runtimeDir: directory.optional().describe('state that is gone with a reboot: best a tmpfs'),
  timeouts: z
    .strictObject({
      recover: phase("each isolator's recover", '1mins'),
      prepare: phase("each isolator's prepare", '1mins'),
      isolate: phase("each isolator's isolate", '30secs'),
      update: phase("each isolator's update", '30secs'),
      usage: phase("each isolator's usage", '5secs'),
      status: phase("each isolator's status", '5secs'),
      cleanup: phase("each isolator's cleanup", '1mins'),
      fork: phase('starting the first process', '30secs'),
      release: phase('executing the command', '30secs'),
      destroy: phase('ending all processes', '1mins'),
    })
    .optional(),
  alternatives: z
    .array(z.strictObject({ launcher: launcher.optional(), isolation }))
    .min(1)
    .optional()
    .describe('the first that this host can run is taken; instead of isolation and launcher'),
});

export type ConfigurationInput = z.output<typeof ConfigurationSchema>;
