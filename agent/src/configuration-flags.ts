/** The flags of every command that reads a configuration. */
import type { LoadOptions } from '@caisson/core';
import type { Command } from 'commander';
import type { MesosFlags } from './mesos-flags.js';

export interface ConfigurationFlags {
  readonly config?: string | undefined;
  readonly isolation?: string | undefined;
  readonly launcher?: string | undefined;
  readonly workDir?: string | undefined;
  readonly runtimeDir?: string | undefined;
  readonly mesosFlags?: MesosFlags | undefined;
}

export function defineConfigurationFlags(command: Command): Command {
  return command
    .optionsGroup(
      'Configuration (also CAISSON_<NAME> in the environment, and the flags of Mesos by their names):',
    )
    .option('--config <file>', 'configuration file (default: caisson.config.* here, else in /etc/caisson)')
    .option('--isolation <list>', 'isolators, such as filesystem/linux,namespaces/pid')
    .option('--launcher <name>', 'linux or posix')
    .option('--work-dir <directory>', 'where sandboxes are')
    .option('--runtime-dir <directory>', 'where the state of running containers is');
}

export function loadOptionsOf(flags: ConfigurationFlags): LoadOptions {
  const { config, isolation, launcher, workDir, runtimeDir, mesosFlags } = flags;
  const ours = { isolation, launcher, 'work-dir': workDir, 'runtime-dir': runtimeDir };
  return { file: config, flags: { ...mesosFlags, ...ours } };
}
