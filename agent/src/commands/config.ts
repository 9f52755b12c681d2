/** `caisson config`: the configuration as Caisson understands it. */
import type { Configuration } from '@caisson/core';
import type { Command } from 'commander';
import { type ConfigurationFlags, defineConfigurationFlags, loadOptionsOf } from '../configuration-flags.js';
import type { Done } from '../main.js';

export function defineConfig(caisson: Command, done: Done): void {
  const config = caisson.command('config').description('show or check the configuration');
  defineConfigurationFlags(config.command('print').description('print each value and where it comes from'))
    .option('--json', 'as JSON, for programs')
    .action(async (flags: ConfigurationFlags & { json?: true }) => {
      const configuration = await load(flags);
      process.stdout.write(flags.json ? asJson(configuration) : asYaml(configuration));
      done(0);
    });
}

async function load(flags: ConfigurationFlags): Promise<Configuration> {
  const { loadConfiguration } = await import('@caisson/core');
  return loadConfiguration(loadOptionsOf(flags));
}
const asJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** A configuration file that says the same: JSON is YAML, and the sources are comments. */
function asYaml({ values, sources, file }: Configuration): string {
  const lines = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)} # ${sources[key] ?? 'default'}`);
  return `# ${file ?? 'no configuration file'}\n${lines.join('\n')}\n`;
}
