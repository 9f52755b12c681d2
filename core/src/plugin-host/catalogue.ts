import { type IsolatorDefinition, type LauncherDefinition, messageOf } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { posixPlugin } from '../posix-launcher/plugin.js';
import type { TrustPolicy } from '../trust.js';
import { type LoadedPlugin, loadPlugin } from './load-plugin.js';
import {
  findPackage,
  installedPackages,
  type PluginPackage,
  packageOfIsolator,
  packageOfLauncher,
  packageRoots,
} from './packages.js';

export interface ResolvedIsolator {
  /** The isolator's own name, also where an alias was given. */
  readonly name: string;
  readonly definition: IsolatorDefinition;
  readonly plugin: LoadedPlugin;
}

export interface ResolvedLauncher {
  readonly name: string;
  readonly definition: LauncherDefinition;
  readonly plugin: LoadedPlugin;
}

type Kind = 'isolator' | 'launcher';

const listOf = (each: PluginPackage, kind: Kind): readonly string[] =>
  kind === 'isolator' ? each.isolators : each.launchers;

/** Finds and loads what names of the configuration mean. */
export class Catalogue {
  readonly roots: readonly string[];
  readonly #listed: readonly PluginPackage[];
  readonly #trust: TrustPolicy | undefined;
  #installed: PluginPackage[] | undefined;

  /** @throws PLUGIN_NOT_INSTALLED, PLUGIN_MANIFEST_INVALID for what `plugins` lists */
  constructor(directory: string, plugins: readonly string[], trust?: TrustPolicy) {
    this.roots = packageRoots(directory);
    this.#trust = trust;
    this.#listed = plugins.map((name) => {
      const found = findPackage(name, this.roots);
      if (!found) throw coreErrors.PLUGIN_NOT_INSTALLED(name, this.roots);
      return found;
    });
  }

  /** @throws ISOLATOR_UNKNOWN, NAME_BROUGHT_TWICE, and what loading a plugin throws */
  async isolator(name: string): Promise<ResolvedIsolator> {
    const found = this.#packageOf('isolator', name, packageOfIsolator(name));
    if (!found) throw coreErrors.ISOLATOR_UNKNOWN(name, packageOfIsolator(name));
    const plugin = await loadPlugin(found, this.#trust);
    const definition = plugin.definition.isolators?.find(
      (each) => each.name === name || each.aliases?.includes(name),
    );
    if (!definition) throw coreErrors.PLUGIN_EXPORT_INVALID(found.name, `it does not define ${name}`);
    return { name: definition.name, definition, plugin };
  }

  /** @throws LAUNCHER_UNKNOWN, NAME_BROUGHT_TWICE, and what loading a plugin throws */
  async launcher(name: string): Promise<ResolvedLauncher> {
    if (name === 'posix')
      return { name, definition: posixPlugin.definition.launchers![0]!, plugin: posixPlugin };
    const found = this.#packageOf('launcher', name, packageOfLauncher(name));
    if (!found) throw coreErrors.LAUNCHER_UNKNOWN(name, packageOfLauncher(name));
    const plugin = await loadPlugin(found, this.#trust);
    const definition = plugin.definition.launchers?.find((each) => each.name === name);
    if (!definition) throw coreErrors.PLUGIN_EXPORT_INVALID(found.name, `it does not define ${name}`);
    return { name, definition, plugin };
  }

  isInstalled(name: string): boolean {
    try {
      return this.#packageOf('isolator', name, packageOfIsolator(name)) !== undefined;
    } catch {
      return true;
    }
  }

  /** Every package that brings something: listed, or of Caisson's own. */
  installed(): PluginPackage[] {
    this.#installed ??= installedPackages(this.roots);
    const names = new Set(this.#listed.map((each) => each.name));
    return [...this.#listed, ...this.#installed.filter((each) => !names.has(each.name))];
  }

  #packageOf(kind: Kind, name: string, conventional: string): PluginPackage | undefined {
    const brings = (each: PluginPackage | undefined): each is PluginPackage =>
      each !== undefined && listOf(each, kind).includes(name);
    const found = [...this.#listed, this.#tryFind(conventional)].filter(brings);
    const packages = [...new Map(found.map((each) => [each.directory, each])).values()];
    if (packages.length > 1)
      throw coreErrors.NAME_BROUGHT_TWICE(
        kind,
        name,
        packages.map((each) => each.name),
      );
    // An alias (`disk/du`) doesn't tell its package's name.
    return packages[0] ?? this.installed().find(brings);
  }

  #tryFind(name: string): PluginPackage | undefined {
    try {
      return findPackage(name, this.roots);
    } catch {
      return undefined;
    }
  }
}

/** The reason in a message, with what to do. */
export function reasonOf(error: unknown): string {
  const hint = (error as { hint?: string } | undefined)?.hint;
  return hint ? `${messageOf(error)} (${hint})` : messageOf(error);
}
