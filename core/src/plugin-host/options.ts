import { z } from '@caisson/plugin-sdk';
import { normalise } from '../configuration/flags.js';
import type { Configuration, UnclaimedFlag } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import { parseStrictly } from '../schema-problems.js';
import type { Catalogue } from './catalogue.js';
import type { PluginSet } from './selection.js';

/** Validated and defaulted options by isolator, and below `launcher/<name>`. */
export type CheckedOptions = ReadonlyMap<string, unknown>;

const NO_OPTIONS = z.strictObject({});

export const launcherOptionsKey = (launcher: string): string => `launcher/${launcher}`;

interface Optioned {
  readonly key: string;
  readonly schema: z.ZodType;
}

const optioned = ({ isolators, launcher }: PluginSet): Optioned[] => [
  ...isolators.map(({ name, definition }) => ({ key: name, schema: definition.options ?? NO_OPTIONS })),
  { key: launcherOptionsKey(launcher.name), schema: launcher.definition.options ?? NO_OPTIONS },
];

/**
 * The options of everything enabled, checked by its schema.
 *
 * @throws CONFIG_INVALID with every problem's path and value; FLAG_UNKNOWN for a flag that no isolator claims
 */
export function checkOptions(
  configuration: Configuration,
  set: PluginSet,
  catalogue: Catalogue,
): CheckedOptions {
  const all = optioned(set);
  const given = new Map(Object.entries(resolveAliases(configuration.values.options, set)));
  requireKnownKeys([...given.keys()], all, configuration, catalogue);
  for (const flag of configuration.unclaimedFlags) claim(flag, all, given);
  const problems: string[] = [];
  const checked = new Map<string, unknown>();
  for (const { key, schema } of all) {
    const result = parseStrictly(schema, given.get(key) ?? {}, ['options', key]);
    if (result.problems) problems.push(...result.problems);
    else checked.set(key, result.value);
  }
  if (problems.length > 0) throw coreErrors.CONFIG_INVALID(sourceOf(configuration), problems);
  return checked;
}

const sourceOf = ({ file }: Configuration): string => (file ? `file ${file}` : 'the configuration');

/** Options below an alias are the isolator's. */
function resolveAliases(
  options: Configuration['values']['options'],
  { isolators }: PluginSet,
): Record<string, Readonly<Record<string, unknown>>> {
  const resolved: Record<string, Readonly<Record<string, unknown>>> = {};
  for (const [key, value] of Object.entries(options)) {
    const name = isolators.find(({ definition }) => definition.aliases?.includes(key))?.name ?? key;
    resolved[name] = { ...resolved[name], ...value };
  }
  return resolved;
}

/** Options of an isolator that is installed and left out for now are fine; a name that nobody knows is a mistake. */
function requireKnownKeys(
  keys: readonly string[],
  all: readonly Optioned[],
  configuration: Configuration,
  catalogue: Catalogue,
): void {
  const named = configuration.values.alternatives.flatMap(({ isolation }) => isolation);
  const unknown = keys.filter(
    (key) =>
      !key.startsWith('launcher/') &&
      !all.some((each) => each.key === key) &&
      !named.includes(key) &&
      !catalogue.isInstalled(key),
  );
  if (unknown.length === 0) return;
  throw coreErrors.CONFIG_INVALID(
    sourceOf(configuration),
    unknown.map((key) => `options[${JSON.stringify(key)}]: no isolator of this name is enabled or installed`),
  );
}

/** Everybody who knows the flag gets it: `--cgroups_root` is for each isolator that makes cgroups. */
function claim(flag: UnclaimedFlag, all: readonly Optioned[], given: Map<string, unknown>): void {
  let claimed = false;
  for (const { key, schema } of all)
    for (const [option, optionSchema] of Object.entries(shapeOf(schema)))
      if (flagsOf(optionSchema).some((name) => normalise(name) === normalise(flag.name))) {
        const before = given.get(key) as object | undefined;
        given.set(key, { ...before, [option]: read(flag.value, optionSchema) });
        claimed = true;
      }
  if (flag.required && !claimed) throw coreErrors.FLAG_UNKNOWN(flag.source);
}

const shapeOf = (schema: z.ZodType): Readonly<Record<string, z.ZodType>> =>
  (schema as { shape?: Readonly<Record<string, z.ZodType>> }).shape ?? {};

/** `.meta({ flag: 'container_disk_watch_interval' })`, before or after `.default()`. */
function flagsOf(schema: z.ZodType): readonly string[] {
  for (let at: z.ZodType | undefined = schema; at; at = innerOf(at)) {
    const flag = at.meta?.()?.flag;
    if (typeof flag === 'string') return [flag];
    if (Array.isArray(flag)) return flag;
  }
  return [];
}

const innerOf = (schema: z.ZodType): z.ZodType | undefined =>
  (schema as { def?: { innerType?: z.ZodType } }).def?.innerType;

/** The text of a flag, as what the option takes: a string, or else a boolean or a number. */
function read(value: string | boolean, schema: z.ZodType): unknown {
  const booleans: Record<string, boolean> = { true: true, '1': true, false: false, '0': false };
  const readings = typeof value === 'string' ? [value, booleans[value], Number(value)] : [value];
  return readings.find((each) => each !== undefined && schema.safeParse(each).success) ?? value;
}
