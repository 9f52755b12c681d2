/**
 * What isolators need of their host and of each other, checked for all at once, so that an operator mends all in one go.
 * The core knows no isolator: these are the `requires` of the plugins.
 */
import { messageOf, type Requirements } from '@caisson/plugin-sdk';
import type { ResolvedIsolator, ResolvedLauncher } from './catalogue.js';

export interface Host {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
}

export const currentHost = (): Host => ({ platform: process.platform, isRoot: process.getuid?.() === 0 });

/** At most one of each of these families (spec: containerizer, isolation). */
const EXCLUSIVE_FAMILIES = ['filesystem/*'];

/** Why these cannot run together here; empty if they can. */
export function unmetRequirements(
  isolators: readonly ResolvedIsolator[],
  launcher: ResolvedLauncher,
  host: Host,
): string[] {
  const names = isolators.map(({ name }) => name);
  return [
    ...familyProblems(names),
    ...hostProblems(`the launcher ${launcher.name}`, launcher.definition.requires ?? {}, host),
    ...isolators.flatMap(({ name, definition: { requires = {} } }) => [
      ...hostProblems(name, requires, host),
      ...launcherProblems(name, requires, launcher.name),
      ...neighbourProblems(name, requires, names),
    ]),
  ];
}

function familyProblems(names: readonly string[]): string[] {
  return EXCLUSIVE_FAMILIES.map((family) => names.filter((name) => matches(family, name)))
    .filter((members) => members.length > 1)
    .map((members) => `${members.join(' and ')} exclude each other: enable one of them`);
}

export function hostProblems(
  name: string,
  { platform, root, host: check }: Pick<Requirements, 'platform' | 'root' | 'host'>,
  host: Host,
): string[] {
  if (platform !== undefined && platform !== host.platform)
    return [`${name} needs ${platform}; this is ${host.platform}`];
  const problems: string[] = [];
  if (root && !host.isRoot) problems.push(`${name} needs root; this process has uid ${process.getuid?.()}`);
  const problem = check && callCheck(check);
  if (problem) problems.push(`${name}: ${problem}`);
  return problems;
}

function callCheck(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    return `its check of the host failed: ${messageOf(error)}`;
  }
}

function launcherProblems(name: string, { launcher }: Requirements, chosen: string): string[] {
  if (launcher === undefined || launcher === chosen) return [];
  return [`${name} needs the launcher ${launcher}; ${chosen} is chosen: set launcher: ${launcher}`];
}

function neighbourProblems(name: string, requires: Requirements, names: readonly string[]): string[] {
  const { isolators = [], conflicts = [] } = requires;
  const missing = isolators.filter((needed) => !names.some((each) => matches(needed, each)));
  const clashing = names.filter(
    (each) =>
      each !== name && conflicts.some((pattern) => matches(pattern, each)) && !isFamilyClash(name, each),
  );
  return [
    ...missing.map((needed) => `${name} needs the isolator ${needed}: add it to isolation`),
    ...clashing.map((each) => `${name} cannot be enabled with ${each}: leave one out`),
  ];
}

/** Told once already, for the family. */
const isFamilyClash = (one: string, other: string): boolean =>
  EXCLUSIVE_FAMILIES.some((family) => matches(family, one) && matches(family, other));

/** `filesystem/*` is the family, anything else a name. */
export const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('/*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

/** The launcher that the isolators ask for; `posix` if none asks. Several: the first, and the check names the rest. */
export const launcherAskedFor = (isolators: readonly ResolvedIsolator[]): string =>
  isolators.find(({ definition }) => definition.requires?.launcher)?.definition.requires?.launcher ?? 'posix';
