/**
 * Takes the agent's own settings out of flags and variables; what is left is the configuration's. A flag wins over a
 * variable, CAISSON_* over MESOS_*. `--flag` is true, `--no-flag` false.
 */
import type { LoadOptions } from '@caisson/core';
import type { z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { type ParsedSettings, SettingsSchema } from './settings.js';

type Environment = Readonly<Record<string, string | undefined>>;
type Flags = NonNullable<LoadOptions['flags']>;

const normalise = (name: string): string => name.replaceAll(/[-_]/g, '').toLowerCase();

const OWN = new Map(Object.keys(SettingsSchema.shape).map((name) => [normalise(name), name]));

export interface Sources {
  readonly settings: ParsedSettings;
  readonly flags: Flags;
  readonly environment: Environment;
}

/** @throws SETTING_INVALID */
export function readSettings(given: Flags, environment: Environment): Sources {
  const variables = withMesosNames(environment);
  const texts: Record<string, string> = {};
  const sources: Record<string, string> = {};
  const flags: Record<string, Flags[string]> = {};
  const take = (name: string, value: Flags[string], source: string): boolean => {
    const own = OWN.get(normalise(name));
    if (own === undefined) return false;
    if (value !== undefined) {
      texts[own] = String(value);
      sources[own] = source;
    }
    return true;
  };
  for (const [name, value] of Object.entries(variables))
    if (name.startsWith('CAISSON_')) take(name.slice('CAISSON_'.length), value, `variable ${name}`);
  for (const [name, value] of Object.entries(given))
    if (!take(name, value, `flag --${name}`)) flags[name] = value;
  return { settings: parse(texts, sources), flags, environment: variables };
}

function parse(texts: Record<string, string>, sources: Readonly<Record<string, string>>): ParsedSettings {
  const result = SettingsSchema.safeParse(texts);
  if (result.success) return result.data;
  const [issue] = (result.error as z.ZodError).issues;
  throw apiErrors.SETTING_INVALID(sources[String(issue?.path[0])] ?? 'settings', issue?.message ?? 'invalid');
}

/** What Mesos sets in a container is no flag. */
const NO_FLAGS = ['MESOS_SANDBOX', 'MESOS_DIRECTORY'];

/** MESOS_WORK_DIR is CAISSON_WORK_DIR, where that is not set. */
function withMesosNames(environment: Environment): Environment {
  const mesos = Object.entries(environment).filter(
    ([name]) => name.startsWith('MESOS_') && !NO_FLAGS.includes(name),
  );
  return {
    ...Object.fromEntries(mesos.map(([name, value]) => [name.replace('MESOS_', 'CAISSON_'), value])),
    ...environment,
  };
}
