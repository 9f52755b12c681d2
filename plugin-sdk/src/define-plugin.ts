import type { ZodType } from 'zod';
import { defineErrors } from './errors.js';
import type { Isolator } from './isolator.js';
import type { Launcher } from './launcher.js';
import type { VolumeKind } from './volumes.js';

/** What an isolator needs of its host; checked for all together before anything starts. */
export interface Requirements {
  readonly platform?: NodeJS.Platform | undefined;
  readonly root?: boolean | undefined;
  readonly launcher?: string | undefined;
  /** Other isolators that must be enabled; this one comes after them. */
  readonly isolators?: readonly string[] | undefined;
  /** Other isolators that this one comes after where they are enabled, whatever the configuration's order. */
  readonly after?: readonly string[] | undefined;
  /** Isolators that come after this one where they are enabled; `filesystem/*` matches a family. */
  readonly before?: readonly string[] | undefined;
  /** Isolators that must not be enabled with it; `filesystem/*` matches a family (itself excepted). */
  readonly conflicts?: readonly string[] | undefined;
  /** Anything else: returns why this host cannot run it, or undefined. Must not change anything. */
  readonly host?: (() => string | undefined) | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: inversify builds the class from its @inject decorators
type Constructor<T> = new (...args: any[]) => T;

export interface IsolatorDefinition {
  /** Such as `cgroups/net_cls`: also the name under which the class taps hooks. */
  readonly name: string;
  readonly implementation: Constructor<Isolator>;
  /** Validated, defaulted, exported as JSON Schema. */
  readonly options?: ZodType | undefined;
  readonly requires?: Requirements | undefined;
  /** Called for nested containers too. Default false: the core leaves them out. */
  readonly supportsNesting?: boolean | undefined;
  /** Kinds of volumes that it serves. One that no enabled isolator serves is refused before anything is made. */
  readonly volumes?: readonly VolumeKind[] | undefined;
  /** Other names of the configuration that mean this isolator. */
  readonly aliases?: readonly string[] | undefined;
}

export interface LauncherDefinition {
  readonly name: string;
  readonly implementation: Constructor<Launcher>;
  readonly options?: ZodType | undefined;
  readonly requires?: Pick<Requirements, 'platform' | 'root' | 'host'> | undefined;
}

/** Something that other classes inject by `token`; one instance per generation. */
export interface ServiceDefinition {
  readonly token: symbol;
  readonly implementation: Constructor<unknown>;
}

export interface PluginDefinition {
  readonly isolators?: readonly IsolatorDefinition[] | undefined;
  readonly launchers?: readonly LauncherDefinition[] | undefined;
  readonly services?: readonly ServiceDefinition[] | undefined;
}

export const definitionErrors = defineErrors({
  PLUGIN_INVALID: {
    kind: 'invalid',
    message: (problem: string) => `definePlugin: ${problem}`,
    hint: () => 'see the contract in the README of @caisson/plugin-sdk',
  },
});

const ISOLATOR_NAME = /^[a-z0-9]+([._-][a-z0-9]+)*(\/[a-z0-9]+([._-][a-z0-9]+)*)*$/;

function problemOf(definition: PluginDefinition): string | undefined {
  if (typeof definition !== 'object' || definition === null)
    return `an object is expected, not ${typeof definition}`;
  const { isolators = [], launchers = [], services = [] } = definition;
  for (const [kind, list] of Object.entries({ isolators, launchers })) {
    if (!Array.isArray(list)) return `"${kind}" must be an array`;
    for (const item of list) {
      if (typeof item?.name !== 'string' || !ISOLATOR_NAME.test(item.name))
        return `"${kind}" holds a name that is not like "acme/tally": ${JSON.stringify(item?.name)}`;
      if (typeof item.implementation !== 'function') return `${item.name}: "implementation" must be a class`;
      if (item.options !== undefined && typeof item.options?.safeParse !== 'function')
        return `${item.name}: "options" must be a zod schema`;
    }
  }
  if (!Array.isArray(services)) return '"services" must be an array';
  if (services.some((s) => typeof s?.token !== 'symbol' || typeof s?.implementation !== 'function'))
    return 'a service needs a symbol as "token" and a class as "implementation"';
  return undefined;
}

/** Checks a plugin's definition and returns it. The default export of a plugin package. */
export function definePlugin(definition: PluginDefinition): PluginDefinition {
  const problem = problemOf(definition);
  if (problem) throw definitionErrors.PLUGIN_INVALID(problem);
  return definition;
}
