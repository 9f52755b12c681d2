/** `caisson doctor`: what this host offers, and which isolation the configuration gets from it. */
import type { Command } from 'commander';
import { type ConfigurationFlags, defineConfigurationFlags, loadOptionsOf } from '../configuration-flags.js';
import type { Finding } from '../doctor/host.js';
import type { Done } from '../main.js';

export function defineDoctor(caisson: Command, done: Done): void {
  const doctor = caisson
    .command('doctor')
    .description('say what this host offers, and what the configuration gets');
  defineConfigurationFlags(doctor)
    .option('--json', 'as JSON, for programs')
    .action(async (flags: ConfigurationFlags & { json?: true }) => {
      const { examineHost } = await import('../doctor/host.js');
      const findings = [...examineHost(), ...(await examineConfiguration(flags))];
      process.stdout.write(flags.json ? asJson(findings) : asText(findings));
      done(0);
    });
}

/** A configuration that is wrong is an answer, not a failure: somebody asked what is wrong. */
async function examineConfiguration(flags: ConfigurationFlags): Promise<Finding[]> {
  const { checkConfiguration, loadConfiguration } = await import('@caisson/core');
  const { describeSelection } = await import('../selection.js');
  const { errorAsLine } = await import('../report.js');
  try {
    const configuration = await loadConfiguration(loadOptionsOf(flags));
    const { values, file } = configuration;
    const isolation = await checkConfiguration(configuration)
      .then((selection) => describeSelection(selection, configuration))
      .catch(errorAsLine);
    return [
      { name: 'configuration', value: file ?? 'no file' },
      { name: 'isolation', value: isolation },
      { name: 'directories', value: `${values.workDir} (kept), ${values.runtimeDir} (gone with a reboot)` },
    ];
  } catch (error) {
    return [{ name: 'configuration', value: errorAsLine(error) }];
  }
}

const asJson = (findings: readonly Finding[]): string =>
  `${JSON.stringify(Object.fromEntries(findings.map(({ name, value }) => [name, value])), null, 2)}\n`;

const asText = (findings: readonly Finding[]): string => {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings.map(({ name, value }) => `${name.padEnd(width)}  ${value}\n`).join('');
};
