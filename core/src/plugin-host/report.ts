import { PHASES, type Phase } from '@caisson/plugin-sdk';
import type { Configuration } from '../configuration/values.js';
import { posixPlugin } from '../posix-launcher/plugin.js';
import { Catalogue, type ResolvedIsolator, type ResolvedLauncher, reasonOf } from './catalogue.js';
import { Generation, type GenerationHost } from './generation.js';
import { checkOptions } from './options.js';
import type { PluginPackage } from './packages.js';
import { currentHost, hostProblems, launcherAskedFor } from './requirements.js';
import { selectPlugins } from './selection.js';
import { silentHost } from './silent-host.js';

/** A line of `caisson plugins`. */
export interface PluginReport {
  readonly kind: 'isolator' | 'launcher';
  readonly name: string;
  /** Such as `@caisson/namespaces-pid`; `@caisson/core` for the launcher `posix`. */
  readonly package: string;
  readonly version: string;
  readonly directory: string;
  /** The configuration (or the alternative that this host takes) enables it. */
  readonly enabled: boolean;
  /** Phases tapped; empty for a launcher, and for an isolator that cannot be created here. */
  readonly hooks: readonly Phase[];
  /** Whether this host can run it. */
  readonly usable: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
}

/** Every isolator and launcher that is installed: each is loaded, and created where that is possible. */
export async function reportPlugins(configuration: Configuration): Promise<PluginReport[]> {
  const catalogue = new Catalogue(configuration.directory, configuration.values.plugins);
  const enabled = await enabledNames(configuration, catalogue);
  const packages = [posixPlugin.package, ...catalogue.installed()];
  const reports = packages.flatMap((each) => [
    ...each.launchers.map((name) => reportLauncher(each, name, catalogue)),
    ...each.isolators.map((name) => reportIsolator(each, name, catalogue, configuration)),
  ]);
  const lines = (await Promise.all(reports)).filter((line) => line !== undefined);
  return lines.map((report) => ({
    ...report,
    enabled: enabled.has(report.kind === 'launcher' ? `launcher/${report.name}` : report.name),
  }));
}

/** What is enabled here; what the configuration names, if it cannot run. */
async function enabledNames({ values, ...rest }: Configuration, catalogue: Catalogue): Promise<Set<string>> {
  try {
    const { selection } = await selectPlugins({ values, ...rest }, currentHost(), catalogue);
    return new Set([...selection.isolation, `launcher/${selection.launcher}`]);
  } catch {
    return new Set([...values.isolation, `launcher/${values.launcher}`]);
  }
}

type Line = Omit<PluginReport, 'enabled'>;

const lineOf = (kind: PluginReport['kind'], name: string, each: PluginPackage) => ({
  kind,
  name,
  package: each.name,
  version: each.version,
  directory: each.directory,
});

async function reportLauncher(each: PluginPackage, name: string, catalogue: Catalogue): Promise<Line> {
  const line = lineOf('launcher', name, each);
  try {
    const { definition } = await catalogue.launcher(name);
    const reasons = hostProblems(name, definition.requires ?? {}, currentHost());
    return { ...line, hooks: [], usable: reasons.length === 0, reasons };
  } catch (error) {
    return { ...line, hooks: [], usable: false, reasons: [reasonOf(error)] };
  }
}

async function reportIsolator(
  each: PluginPackage,
  name: string,
  catalogue: Catalogue,
  configuration: Configuration,
): Promise<Line | undefined> {
  const line = lineOf('isolator', name, each);
  try {
    const isolator = await catalogue.isolator(name);
    if (isolator.name !== name) return undefined; // an alias
    const launcher = await catalogue.launcher(launcherAskedFor([isolator]));
    const reasons = [isolator, launcher].flatMap((needed) =>
      hostProblems(needed.name, needed.definition.requires ?? {}, currentHost()),
    );
    if (reasons.length > 0) return { ...line, hooks: [], usable: false, reasons };
    return { ...line, hooks: tapped(isolator, launcher, configuration, catalogue), usable: true, reasons };
  } catch (error) {
    return { ...line, hooks: [], usable: false, reasons: [reasonOf(error)] };
  }
}

/** Creates the isolator, for what it taps shows only then. It must not act before its first container. */
function tapped(
  isolator: ResolvedIsolator,
  launcher: ResolvedLauncher,
  configuration: Configuration,
  catalogue: Catalogue,
): Phase[] {
  const set = { isolators: [isolator], launcher };
  const selection = { launcher: launcher.name, isolation: [isolator.name], skipped: [] };
  const options = checkOptions({ ...configuration, unclaimedFlags: [] }, set, catalogue);
  const host: GenerationHost = silentHost(configuration.values, selection);
  const generation = Generation.create(set, selection, options, host);
  const hooks = PHASES.filter((phase) => generation.phases.taps[phase].length > 0);
  void generation.close();
  return hooks;
}
