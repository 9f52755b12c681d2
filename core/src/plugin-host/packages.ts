/**
 * Packages that are installed, found as Node finds them: in `node_modules` of a folder and of each above it. Only
 * package.json is read here, so that nothing is imported that the configuration doesn't name.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';

/** What a package says of itself. */
export interface PluginPackage {
  readonly name: string;
  readonly version: string;
  /** Symbolic links resolved. */
  readonly directory: string;
  /** The folder that it was found from. */
  readonly foundFrom: string;
  readonly isolators: readonly string[];
  readonly launchers: readonly string[];
  /** The versions of @caisson/plugin-sdk that it is made for. */
  readonly sdkRange: string | undefined;
}

/** The agent's own folder: a plugin installed beside it is found without the configuration's folder. */
export const OWN_DIRECTORY = dirname(fileURLToPath(import.meta.url));

/** Where packages are looked for, in order. */
export const packageRoots = (configurationDirectory: string): readonly string[] => [
  ...new Set([configurationDirectory, OWN_DIRECTORY]),
];

/** `a/b_c` is brought by `@caisson/a-b-c`. */
export const packageOfIsolator = (name: string): string => `@caisson/${name.replace(/[/_]/g, '-')}`;
export const packageOfLauncher = (name: string): string => `@caisson/launcher-${name.replace(/[/_]/g, '-')}`;

/**
 * The package of this name, found from the first root that has it; undefined if none has.
 *
 * @throws PLUGIN_MANIFEST_INVALID
 */
export function findPackage(name: string, roots: readonly string[]): PluginPackage | undefined {
  for (const root of roots)
    for (const directory of nodeModulesAbove(root)) {
      const found = readPackage(join(directory, name), root) ?? readItself(dirname(directory), name);
      if (found) return found;
    }
  return undefined;
}

/** Whoever writes a plugin tries it out in its own folder. */
function readItself(directory: string, name: string): PluginPackage | undefined {
  const file = join(directory, 'package.json');
  if (!statSync(file, { throwIfNoEntry: false }) || readManifest(file).name !== name) return undefined;
  return readPackage(directory, directory);
}

/** Packages of the scope @caisson that bring something, of all roots. */
export function installedPackages(roots: readonly string[]): PluginPackage[] {
  const found = new Map<string, PluginPackage>();
  for (const root of roots)
    for (const directory of nodeModulesAbove(root))
      for (const name of namesIn(join(directory, '@caisson'))) {
        const each = found.has(name) ? undefined : readIfPlugin(join(directory, '@caisson', name), root);
        if (each) found.set(name, each);
      }
  return [...found.values()];
}

function* nodeModulesAbove(root: string): Generator<string> {
  for (let at = root; ; at = dirname(at)) {
    if (basename(at) !== 'node_modules') yield join(at, 'node_modules');
    if (at === dirname(at)) return;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readIfPlugin(directory: string, root: string): PluginPackage | undefined {
  try {
    return readPackage(directory, root);
  } catch {
    return undefined; // a library of ours, which brings nothing
  }
}

function readPackage(directory: string, foundFrom: string): PluginPackage | undefined {
  const file = join(directory, 'package.json');
  if (!statSync(file, { throwIfNoEntry: false })) return undefined;
  return parseManifest(readManifest(file), realpathSync(directory), foundFrom);
}

function readManifest(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw coreErrors.PLUGIN_MANIFEST_INVALID(dirname(file), `${file}: ${messageOf(error)}`);
  }
}

function parseManifest(
  manifest: Record<string, unknown>,
  directory: string,
  foundFrom: string,
): PluginPackage {
  const name = typeof manifest.name === 'string' ? manifest.name : directory;
  const caisson = (manifest.caisson ?? {}) as Record<string, unknown>;
  const { isolators = [], launchers = [] } = caisson;
  if (!isNames(isolators) || !isNames(launchers))
    throw coreErrors.PLUGIN_MANIFEST_INVALID(
      name,
      'package.json#caisson holds something else than lists of names',
    );
  if (isolators.length + launchers.length === 0)
    throw coreErrors.PLUGIN_MANIFEST_INVALID(name, 'its package.json lists no isolator and no launcher');
  const { peerDependencies, dependencies } = manifest as Record<string, Record<string, string> | undefined>;
  return {
    name,
    version: typeof manifest.version === 'string' ? manifest.version : '0.0.0',
    directory,
    foundFrom,
    isolators,
    launchers,
    sdkRange: peerDependencies?.['@caisson/plugin-sdk'] ?? dependencies?.['@caisson/plugin-sdk'],
  };
}

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

let sdkVersion: string | undefined;

/** The version of the SDK that runs. */
export function runningSdkVersion(): string {
  sdkVersion ??= createRequire(import.meta.url)('@caisson/plugin-sdk/package.json').version as string;
  return sdkVersion;
}
