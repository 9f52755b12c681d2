/**
 * Flags and environment variables as settings. A name may be written `workDir`, `work-dir` or, as Mesos does,
 * `work_dir`; a variable is CAISSON_WORK_DIR. Names that the core doesn't know are kept for the isolators, whose option
 * schemas may claim them: `z.boolean().meta({ flag: 'enforce_container_disk_quota' })`.
 */
import { readFileSync } from 'node:fs';
import { messageOf } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import type { UnclaimedFlag } from './values.js';

export type FlagValue = string | boolean | readonly string[];

/** Settings of one source: as a configuration file would say them, with the source of each. */
export interface Layer {
  /** Keys of the schema, not checked yet. */
  readonly input: Record<string, unknown>;
  /** By key: `flag --isolation`. */
  readonly sources: Record<string, string>;
  readonly unclaimed: UnclaimedFlag[];
}

type Setting = (text: FlagValue, layer: Layer) => unknown;

const list: Setting = (value) =>
  (typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [value]).filter(
    (token) => token !== '',
  );
const text: Setting = (value) => value;

const SETTINGS: Readonly<Record<string, readonly [key: string, parse: Setting]>> = {
  isolation: ['isolation', list],
  launcher: ['launcher', text],
  plugins: ['plugins', list],
  workdir: ['workDir', text],
  runtimedir: ['runtimeDir', text],
  option: ['options', (value, layer) => addOptions(list(value, layer) as string[], layer)],
};

const PATHS = ['workdir', 'runtimedir'];

/** `work_dir`, `work-dir` and `workDir` are one. */
export const normalise = (name: string): string => name.replace(/^--/, '').replace(/[-_]/g, '').toLowerCase();

export function layerOfFlags(flags: Readonly<Record<string, FlagValue | undefined>>): Layer {
  const layer: Layer = { input: {}, sources: {}, unclaimed: [] };
  for (const [name, value] of Object.entries(flags))
    if (value !== undefined) add(layer, name, value, `flag --${name.replace(/^--/, '')}`, true);
  return layer;
}

/** Variables of the environment that have a meaning of their own. */
const NO_SETTINGS = ['CAISSON_CONFIG', 'CAISSON_FAILPOINTS'];

export function layerOfEnvironment(environment: Readonly<Record<string, string | undefined>>): Layer {
  const layer: Layer = { input: {}, sources: {}, unclaimed: [] };
  for (const [variable, value] of Object.entries(environment))
    if (variable.startsWith('CAISSON_') && !NO_SETTINGS.includes(variable) && value !== undefined)
      add(layer, variable.slice('CAISSON_'.length), value, `variable ${variable}`, false);
  return layer;
}

function add(layer: Layer, name: string, given: FlagValue, source: string, required: boolean): void {
  const setting = SETTINGS[normalise(name)];
  const value = PATHS.includes(normalise(name)) ? given : fromFile(given, source);
  if (setting) {
    const [key, parse] = setting;
    layer.input[key] = parse(value, layer);
    layer.sources[key] = source;
  } else {
    const single = typeof value === 'object' ? value.join(',') : value;
    layer.unclaimed.push({ name, value: single, source, required });
  }
}

/** `file:///path` stands for the content of the file, as with Mesos. */
function fromFile(value: FlagValue, source: string): FlagValue {
  if (typeof value !== 'string' || !value.startsWith('file://')) return value;
  try {
    return readFileSync(value.slice('file://'.length), 'utf8').trim();
  } catch (error) {
    throw coreErrors.CONFIG_INVALID(source, [`${value}: ${messageOf(error)}`]);
  }
}

/** `--option posix/disk.enforceQuota=true`; the value is JSON, or else a string. */
function addOptions(texts: readonly string[], layer: Layer): unknown {
  const options = { ...(layer.input.options as Record<string, Record<string, unknown>> | undefined) };
  for (const each of texts) {
    const match = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(each);
    if (!match)
      throw coreErrors.CONFIG_INVALID('flag --option', [`${each}: write <isolator>.<option>=<value>`]);
    const [, isolator = '', option = '', value = ''] = match;
    if ([isolator, option].includes('__proto__'))
      throw coreErrors.CONFIG_INVALID('flag --option', [`${each}: the key "__proto__" is not allowed`]);
    options[isolator] = { ...options[isolator], [option]: jsonOrText(value) };
  }
  return options;
}

function jsonOrText(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
