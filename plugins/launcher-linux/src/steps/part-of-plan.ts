/**
 * A launch into another pid namespace makes what it can outside of it, where nobody of it can interfere, and the rest inside:
 * a procfs shows the pid namespace of whoever mounts it, so /proc and what is below it can only be made there.
 */
import { isBind, type LaunchPlanData } from '@caisson/plugin-sdk';
import type { LaunchStep } from '../step.js';
import { makesPidNamespace } from './enter-pid-namespace.js';
import { findOrCreate } from './mount-target.js';

const isInProc = (path: string): boolean => path === '/proc' || path.startsWith('/proc/');

type Part = 'outside' | 'inside';

function partOf(plan: LaunchPlanData, part: Part): LaunchPlanData {
  const belongs = (path: string) => isInProc(path) === (part === 'inside');
  const { create, enter } = plan.namespaces;
  return {
    ...plan,
    mounts: plan.mounts.filter(({ target }) => belongs(target)),
    maskedPaths: plan.maskedPaths.filter(belongs),
    readOnlyPaths: plan.readOnlyPaths.filter(belongs),
    // The joiner is a process of the agent's pid namespace.
    namespaces: { create: create.filter((kind) => part === 'inside' || kind !== 'pid'), enter },
  };
}

/** What the launcher cannot make inside: a source of the host must not be open there (threat model N5). */
export const bindsInside = (plan: LaunchPlanData): boolean => partOf(plan, 'inside').mounts.some(isBind);

const mountsInside = (plan: LaunchPlanData): boolean => {
  const { mounts, maskedPaths, readOnlyPaths } = partOf(plan, 'inside');
  return mounts.length + maskedPaths.length + readOnlyPaths.length > 0;
};

/** Mounting and making a pid namespace need CAP_SYS_ADMIN. */
export const administersInside = (plan: LaunchPlanData): boolean =>
  mountsInside(plan) || makesPidNamespace(plan);

const only =
  (part: Part) =>
  (step: LaunchStep): LaunchStep => ({
    name: part === 'inside' ? `${step.name}-inside` : step.name,
    needed: (plan) => step.needed?.(partOf(plan, part)) ?? true,
    compile: (plan, table) => step.compile(partOf(plan, part), table),
  });

/** A step, for what is made outside the pid namespace. */
export const outside = only('outside');
/** A step, for what is made inside. */
export const inside = only('inside');

/** Step make-mount-points: of what is mounted inside, where the process may not be allowed to make any. */
export const makeMountPoints: LaunchStep = {
  name: 'make-mount-points',
  needed: (plan) => partOf(plan, 'inside').mounts.some(({ createTarget }) => createTarget !== undefined),
  compile(plan, table) {
    for (const mount of partOf(plan, 'inside').mounts) if (mount.createTarget) findOrCreate(mount, table);
  },
};
