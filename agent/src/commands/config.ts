/** `caisson config`: the configuration as Caisson understands it. */
import type { Command } from 'commander';
import { type ConfigurationFlags, defineConfigurationFlags, loadOptionsOf } from '../configuration-flags.js';
import type { Done } from '../main.js';

export function defineConfig(caisson: Command, done: Done): void {
  const config = caisson.command('config').description('show or check the configuration');
  definePrint(config, done);
  defineCheck(config, done);
  defineSchema(config, done);
}

function definePrint(config: Command, done: Done): void {
  const print = config.command('print').description('print each value and where it comes from');
  defineConfigurationFlags(print)
    .option('--json', 'as JSON, for programs')
    .action(async (flags: ConfigurationFlags & { json?: true }) => {
      const { loadConfiguration } = await import('@caisson/core');
      const { configurationAsYaml } = await import('../configuration-yaml.js');
      const configuration = await loadConfiguration(loadOptionsOf(flags));
      process.stdout.write(flags.json ? asJson(configuration) : configurationAsYaml(configuration));
      done(0);
    });
}

function defineCheck(config: Command, done: Done): void {
  const check = config
    .command('check')
    .description('check it: values, packages, options, and whether this host can run it; nothing is created');
  defineConfigurationFlags(check).action(async (flags: ConfigurationFlags) => {
    const { checkConfiguration, loadConfiguration } = await import('@caisson/core');
    const { describeSelection } = await import('../selection.js');
    const configuration = await loadConfiguration(loadOptionsOf(flags));
    const selection = await checkConfiguration(configuration);
    process.stdout.write(`${describeSelection(selection, configuration)}\n`);
    done(0);
  });
}

function defineSchema(config: Command, done: Done): void {
  const schema = config
    .command('schema')
    .description(
      'print the JSON Schema of a configuration file, with the options of the installed isolators',
    );
  defineConfigurationFlags(schema).action(async (flags: ConfigurationFlags) => {
    const { configurationSchema, loadConfiguration } = await import('@caisson/core');
    process.stdout.write(asJson(await configurationSchema(await loadConfiguration(loadOptionsOf(flags)))));
    done(0);
  });
}

const asJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
