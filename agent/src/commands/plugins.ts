/** `caisson plugins`: what is installed, and what of it this host can run. */
import type { PluginReport } from '@caisson/core';
import type { Command } from 'commander';
import { type ConfigurationFlags, defineConfigurationFlags, loadOptionsOf } from '../configuration-flags.js';
import type { Done } from '../main.js';

export function definePlugins(caisson: Command, done: Done): void {
  const plugins = caisson
    .command('plugins')
    .description('list the isolators and launchers that are installed, and why this host cannot run one');
  defineConfigurationFlags(plugins)
    .option('--json', 'as JSON, for programs')
    .action(async (flags: ConfigurationFlags & { json?: true }) => {
      const { loadConfiguration, reportPlugins } = await import('@caisson/core');
      const reports = await reportPlugins(await loadConfiguration(loadOptionsOf(flags)));
      process.stdout.write(flags.json ? `${JSON.stringify(reports, null, 2)}\n` : await asTable(reports));
      done(0);
    });
}

async function asTable(reports: readonly PluginReport[]): Promise<string> {
  const { table } = await import('../table.js');
  const sorted = reports.toSorted((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name));
  const rows = sorted.map((report) => [
    report.name,
    report.kind,
    report.package,
    report.version,
    report.enabled ? 'yes' : 'no',
    report.hooks.join(' ') || '-',
    report.usable ? 'yes' : `no: ${report.reasons.join('; ')}`,
  ]);
  const head = ['NAME', 'KIND', 'PACKAGE', 'VERSION', 'ENABLED', 'HOOKS', 'RUNS HERE'];
  return `${table(head, rows, process.stdout.columns)}\n`;
}
