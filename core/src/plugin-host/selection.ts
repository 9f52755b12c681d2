import { isCaissonError } from '@caisson/plugin-sdk';
import type { Alternative, Configuration } from '../configuration/values.js';
import { coreErrors } from '../errors.js';
import { Catalogue, type ResolvedIsolator, type ResolvedLauncher, reasonOf } from './catalogue.js';
import { inOrder } from './order.js';
import { currentHost, type Host, launcherAskedFor, unmetRequirements } from './requirements.js';

/** What the configuration came to on this host. */
export interface Selection {
  readonly launcher: string;
  /** In order. */
  readonly isolation: readonly string[];
  /** Which of the configuration's `alternatives` was taken: its index. */
  readonly alternative?: number | undefined;
  /** The alternatives before it, and why this host cannot run them. */
  readonly skipped: readonly SkippedAlternative[];
}

export interface SkippedAlternative {
  readonly index: number;
  readonly reasons: readonly string[];
}

/** Isolators in order, and the launcher: everything loaded, nothing created. */
export interface PluginSet {
  readonly isolators: readonly ResolvedIsolator[];
  readonly launcher: ResolvedLauncher;
}

/** Every container has a filesystem isolator: this one if none is named (spec: containerizer, isolation). */
const DEFAULT_FILESYSTEM = 'filesystem/posix';

/**
 * Loads what the configuration names and checks whether this host can run it; of alternatives the first that it can.
 *
 * @throws REQUIREMENTS_UNMET with all problems, ALTERNATIVES_EXHAUSTED, and what loading a plugin throws
 */
export async function selectPlugins(
  { values, directory }: Configuration,
  host: Host = currentHost(),
  catalogue = new Catalogue(directory, values.plugins),
): Promise<{ set: PluginSet; selection: Selection }> {
  const skipped: SkippedAlternative[] = [];
  for (const [index, alternative] of values.alternatives.entries()) {
    const launcher = values.launcher ?? alternative.launcher;
    const result = await tryAlternative({ ...alternative, launcher }, catalogue, host);
    if (Array.isArray(result)) skipped.push({ index, reasons: result });
    else return { set: result, selection: { ...describe(result), alternative: index, skipped } };
  }
  if (skipped.length > 0)
    throw coreErrors.ALTERNATIVES_EXHAUSTED(
      skipped.map(({ index, reasons }) => `alternatives[${index}]: ${reasons.join('; ')}`),
    );
  const set = await loadSet(values, catalogue);
  const problems = unmetRequirements(set.isolators, set.launcher, host);
  if (problems.length > 0) throw coreErrors.REQUIREMENTS_UNMET(problems);
  return { set, selection: { ...describe(set), skipped } };
}

const describe = ({ launcher, isolators }: PluginSet) => ({
  launcher: launcher.name,
  isolation: isolators.map(({ name }) => name),
});

/** What is not installed, or doesn't load here, is a reason to try the next one. */
async function tryAlternative(
  alternative: Alternative,
  catalogue: Catalogue,
  host: Host,
): Promise<PluginSet | string[]> {
  try {
    const set = await loadSet(alternative, catalogue);
    const problems = unmetRequirements(set.isolators, set.launcher, host);
    return problems.length > 0 ? problems : set;
  } catch (error) {
    // Not what nobody may pass over: a plugin that others can write.
    if (isCaissonError(error) && error.kind === 'denied') throw error;
    return [reasonOf(error)];
  }
}

async function loadSet({ isolation, launcher }: Alternative, catalogue: Catalogue): Promise<PluginSet> {
  const names = isolation.some((name) => name.startsWith('filesystem/'))
    ? isolation
    : [...(catalogue.isInstalled(DEFAULT_FILESYSTEM) ? [DEFAULT_FILESYSTEM] : []), ...isolation];
  const loaded = await loadAll(names.map((name) => catalogue.isolator(name)));
  // An alias beside the name it stands for is the same isolator.
  const isolators = [...new Map(loaded.map((each) => [each.name, each])).values()];
  const [chosen] = await loadAll([catalogue.launcher(launcher ?? launcherAskedFor(isolators))]);
  return { isolators: inOrder(isolators), launcher: chosen! };
}

/** One failure is thrown as it is; several in one message. */
async function loadAll<T>(loading: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(loading);
  const failures = results.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw coreErrors.REQUIREMENTS_UNMET(failures.map(reasonOf));
  return results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}
