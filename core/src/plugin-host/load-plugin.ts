import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { definePlugin, isCaissonError, messageOf, type PluginDefinition } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { requireTrusted, type TrustPolicy } from '../trust.js';
import { type PluginPackage, runningSdkVersion } from './packages.js';
import { isWithin } from './sdk-range.js';

export interface LoadedPlugin {
  readonly package: PluginPackage;
  readonly definition: PluginDefinition;
}

const loaded = new Map<string, Promise<LoadedPlugin>>();

/**
 * Imports a plugin, after what can be known without running its code: who may write it, and for which SDK it is.
 *
 * @throws PATH_UNTRUSTED, PLUGIN_SDK_MISMATCH, PLUGIN_LOAD_FAILED, PLUGIN_EXPORT_INVALID
 */
export async function loadPlugin(found: PluginPackage, trust?: TrustPolicy): Promise<LoadedPlugin> {
  const entry = resolveEntry(found);
  requireTrusted(entry, 'plugin', trust); // and with it the package: it lies on the way
  await requireFittingSdk(found);
  const before = loaded.get(entry);
  if (before) return before;
  const loading = importPlugin(found, entry);
  loaded.set(entry, loading);
  // A failure is no reason to fail for ever: the next reload may find it mended (Node itself caches some).
  loading.catch(() => loaded.delete(entry));
  return loading;
}

async function importPlugin(found: PluginPackage, entry: string): Promise<LoadedPlugin> {
  const exported = await importDefault(found, entry);
  try {
    return { package: found, definition: checkComplete(found, definePlugin(exported as PluginDefinition)) };
  } catch (error) {
    throw coreErrors.PLUGIN_EXPORT_INVALID(found.name, messageOf(error));
  }
}

async function importDefault(found: PluginPackage, entry: string): Promise<unknown> {
  try {
    const module = await load(entry);
    // The second level: a plugin that was transpiled to CommonJS.
    return module.default?.default ?? module.default;
  } catch (error) {
    if (isCaissonError(error)) throw coreErrors.PLUGIN_EXPORT_INVALID(found.name, error.message);
    throw coreErrors.PLUGIN_LOAD_FAILED(found.name, entry, messageOf(error));
  }
}

/** What `require` leaves to `import()`: modules that await, and, where tests run, all ES modules. */
const TO_BE_IMPORTED = ['ERR_REQUIRE_ASYNC_MODULE', 'ERR_REQUIRE_ESM'];

/** By `require`, ES modules too (Node 20.19): it does not wait for Node's loader, which takes 5 ms of a start. */
// biome-ignore lint/suspicious/noExplicitAny: the module of somebody else
async function load(entry: string): Promise<any> {
  try {
    return createRequire(entry)(entry);
  } catch (error) {
    if (!TO_BE_IMPORTED.includes(String((error as NodeJS.ErrnoException | undefined)?.code))) throw error;
    return import(pathToFileURL(entry).href);
  }
}

function resolveEntry(found: PluginPackage): string {
  const entry = resolveExport(found);
  if (relative(found.directory, entry).startsWith('..'))
    throw coreErrors.PLUGIN_LOAD_FAILED(found.name, entry, `it lies outside of ${found.directory}`);
  return entry;
}

function resolveExport(found: PluginPackage): string {
  try {
    // By its own name from within would need `exports`; from where it was found every package can be resolved.
    return realpathSync(createRequire(join(found.foundFrom, 'resolve.js')).resolve(found.name));
  } catch (error) {
    const hint = messageOf(error).includes('No "exports"')
      ? '; its `exports` need a condition "default"'
      : '';
    throw coreErrors.PLUGIN_LOAD_FAILED(found.name, found.directory, `${messageOf(error)}${hint}`);
  }
}

async function requireFittingSdk(found: PluginPackage): Promise<void> {
  const running = runningSdkVersion();
  const range = found.sdkRange ?? 'no version that its peerDependencies would name';
  if (!(await isWithin(running, range))) throw coreErrors.PLUGIN_SDK_MISMATCH(found.name, range, running);
}

/** What package.json promises is there, once. */
function checkComplete(found: PluginPackage, definition: PluginDefinition): PluginDefinition {
  const { isolators = [], launchers = [] } = definition;
  const kinds = [
    ['isolator', found.isolators, isolators.flatMap(({ name, aliases = [] }) => [name, ...aliases])],
    ['launcher', found.launchers, launchers.map(({ name }) => name)],
  ] as const;
  for (const [kind, promised, brought] of kinds) {
    const missing = promised.find((name) => !brought.includes(name));
    if (missing) throw new Error(`package.json lists the ${kind} ${missing}, the plugin does not define it`);
    const twice = brought.find((name, index) => brought.indexOf(name) !== index);
    if (twice) throw new Error(`it defines the ${kind} ${twice} twice`);
  }
  return definition;
}
