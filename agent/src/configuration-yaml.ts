import type { Configuration } from '@caisson/core';
import { formatDuration } from '@caisson/plugin-sdk';

/** A configuration file that says the same, with the source of each value: JSON is YAML, and YAML has comments. */
export function configurationAsYaml({ values, sources, file }: Configuration): string {
  const timeouts = Object.entries(values.timeouts).map(([step, ms]) => [step, formatDuration(ms)]);
  const written = { ...values, timeouts: Object.fromEntries(timeouts) };
  const lines = Object.entries(written)
    .filter(([, value]) => Object.keys(value ?? {}).length > 0) // what says nothing is left out
    .map(([key, value]) => `${key}: ${JSON.stringify(value)} # ${sourceOf(key, sources)}`);
  return `# ${file ?? 'no configuration file'}\n${lines.join('\n')}\n`;
}

/** Of a value with parts: what does not come from the defaults. */
function sourceOf(key: string, sources: Configuration['sources']): string {
  const parts = Object.entries(sources)
    .filter(([path, source]) => path.startsWith(`${key}.`) && source !== 'default')
    .map(([path, source]) => `${path.slice(key.length + 1)}: ${source}`);
  return sources[key] ?? (parts.join('; ') || 'default');
}
