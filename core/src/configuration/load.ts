import { dirname, resolve } from 'node:path';
import { coreErrors } from '../errors.js';
import { deepFreeze } from '../plain-data.js';
import { parseStrictly } from '../schema-problems.js';
import type { TrustPolicy } from '../trust.js';
import { currentUser, defaultValues, type HostUser } from './defaults.js';
import { type FlagValue, type Layer, layerOfEnvironment, layerOfFlags } from './flags.js';
import { type ConfigurationInput, ConfigurationSchema } from './schema.js';
import { readConfigurationFile } from './search.js';
import type { Alternative, Configuration, ConfigurationValues } from './values.js';

export interface LoadOptions {
  /** `--config`. Default: CAISSON_CONFIG, else the first file found. */
  readonly file?: string | undefined;
  /** Where to look for a file. Default: the working directory. */
  readonly directory?: string | undefined;
  /** By name without `--`: `isolation`, `work-dir`, `work_dir` or `workDir`; `--no-x` is `x: false`. */
  readonly flags?: Readonly<Record<string, FlagValue | undefined>> | undefined;
  /** Default: process.env. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** What tests put in place of the host. */
export interface LoadHost {
  readonly systemDirectory?: string | undefined;
  readonly trust?: TrustPolicy | undefined;
  readonly user?: HostUser | undefined;
}

/**
 * The configuration: flag before variable before file before default.
 *
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID (option path, value got), PATH_UNTRUSTED, CONFIG_CODE_REFUSED
 */
export async function loadConfiguration(
  options: LoadOptions = {},
  host: LoadHost = {},
): Promise<Configuration> {
  const { directory = process.cwd(), flags = {}, environment = process.env } = options;
  const found = await readConfigurationFile({
    file: options.file ?? environment.CAISSON_CONFIG,
    directory,
    systemDirectory: host.systemDirectory,
    trust: host.trust,
  });
  const flagLayer = layerOfFlags(flags);
  const variableLayer = layerOfEnvironment(environment);
  const layers = [
    checked(flagLayer, directory),
    checked(variableLayer, directory),
    ...(found ? [checked(layerOfFile(found.file, found.content), dirname(found.file))] : []),
  ];
  return deepFreeze({
    ...merge(layers, defaultValues(host.user ?? currentUser(), environment)),
    file: found?.file,
    directory: found ? dirname(found.file) : resolve(directory),
    unclaimedFlags: [...flagLayer.unclaimed, ...variableLayer.unclaimed],
  });
}

/** Settings of one source, checked. */
interface CheckedLayer {
  readonly values: ConfigurationInput;
  readonly sourceOf: (key: string) => string;
}

function layerOfFile(file: string, content: unknown): Layer & { source: string } {
  return { input: content as Record<string, unknown>, sources: {}, unclaimed: [], source: `file ${file}` };
}

function checked(layer: Layer & { source?: string }, base: string): CheckedLayer {
  const sourceOf = (key: string) => layer.sources[key] ?? layer.source ?? key;
  const { value, problems } = parseStrictly(ConfigurationSchema, layer.input);
  if (problems) {
    // A flag's problem is told by the flag's name, a file's by the path in it.
    const source = layer.source ?? sourceOf(/^\w+/.exec(problems[0]!)?.[0] ?? '');
    throw coreErrors.CONFIG_INVALID(source, problems);
  }
  if (value.alternatives && (value.isolation || value.launcher))
    throw coreErrors.CONFIG_INVALID(sourceOf('alternatives'), [
      'alternatives stand instead of isolation and launcher: write both into an alternative',
    ]);
  return { values: absolutePaths(value, base), sourceOf };
}

/** A relative path is relative to what says it: the file's directory, or the working directory. */
function absolutePaths(values: ConfigurationInput, base: string): ConfigurationInput {
  const { workDir, runtimeDir } = values;
  return {
    ...values,
    ...(workDir !== undefined && { workDir: resolve(base, workDir) }),
    ...(runtimeDir !== undefined && { runtimeDir: resolve(base, runtimeDir) }),
  };
}

const SINGLE = ['plugins', 'workDir', 'runtimeDir'] as const;

function merge(
  layers: readonly CheckedLayer[],
  defaults: ConfigurationValues,
): Pick<Configuration, 'values' | 'sources'> {
  const sources: Record<string, string> = {};
  const values: Record<string, unknown> = { ...defaults };
  for (const key of SINGLE) {
    const layer = layers.find((each) => each.values[key] !== undefined);
    if (layer) values[key] = layer.values[key];
    sources[key] = layer?.sourceOf(key) ?? 'default';
  }
  values.timeouts = mergeInto({ ...defaults.timeouts }, layers, 'timeouts', sources);
  values.options = mergeOptions(layers, sources);
  Object.assign(values, mergeIsolation(layers, sources));
  return { values: values as unknown as ConfigurationValues, sources };
}

function mergeInto(
  target: Record<string, unknown>,
  layers: readonly CheckedLayer[],
  key: 'timeouts',
  sources: Record<string, string>,
): Record<string, unknown> {
  for (const name of Object.keys(target)) {
    const layer = layers.find((each) => each.values[key]?.[name as never] !== undefined);
    if (layer) target[name] = layer.values[key]?.[name as never];
    sources[`${key}.${name}`] = layer?.sourceOf(key) ?? 'default';
  }
  return target;
}

/** Option by option: a flag for one leaves the file's others. */
function mergeOptions(
  layers: readonly CheckedLayer[],
  sources: Record<string, string>,
): Record<string, Record<string, unknown>> {
  const merged: Record<string, Record<string, unknown>> = {};
  for (const layer of layers.toReversed())
    for (const [name, options] of Object.entries(layer.values.options ?? {})) {
      merged[name] = { ...merged[name], ...options };
      for (const option of Object.keys(options))
        sources[`options.${name}.${option}`] = layer.sourceOf('options');
    }
  return merged;
}

/** The strongest source that says isolators says them alone, as a list or as alternatives. */
function mergeIsolation(
  layers: readonly CheckedLayer[],
  sources: Record<string, string>,
): Pick<ConfigurationValues, 'isolation' | 'alternatives' | 'launcher'> {
  const isolators = layers.find(({ values }) => values.isolation ?? values.alternatives);
  const launchers = layers.find(({ values }) => values.launcher);
  const launcher = launchers?.values.launcher;
  sources.launcher = launchers?.sourceOf('launcher') ?? 'default';
  const alternatives = isolators?.values.alternatives;
  if (alternatives) {
    sources.alternatives = isolators.sourceOf('alternatives');
    return { isolation: [], launcher, alternatives: withLauncher(alternatives, launcher, sources.launcher) };
  }
  sources.isolation = isolators?.sourceOf('isolation') ?? 'default';
  return { isolation: isolators?.values.isolation ?? [], launcher, alternatives: [] };
}

function withLauncher(
  alternatives: readonly Alternative[],
  launcher: string | undefined,
  source: string,
): readonly Alternative[] {
  if (launcher === undefined) return alternatives;
  const left = alternatives.filter((each) => (each.launcher ?? launcher) === launcher);
  if (left.length === 0)
    throw coreErrors.CONFIG_INVALID(source, [
      `no alternative of the configuration has the launcher ${launcher}`,
    ]);
  return left;
}
