import { join, relative } from 'node:path';
import { type HeldDirectory, holdBeneath } from './beneath.js';
import type { Container } from './container.js';
import { rootOf } from './container-id.js';
import type { LaunchPlan } from './plan/launch-plan.js';
import type { HostEnvironment } from './services.js';

/** A place in two parts: what only root can change, and the way on from there, which a container may change at any moment. */
export interface SandboxPlace {
  readonly base: string;
  readonly below: string;
}

/** A path of a container's sandbox: a nested one lies in a tree that its parent writes (threat model F8). */
export function placeInSandbox(
  { workDir }: Pick<HostEnvironment, 'workDir'>,
  { id, sandbox }: Pick<Container, 'id' | 'sandbox'>,
  path = '',
): SandboxPlace {
  const base = join(workDir, 'containers', rootOf(id));
  // One that lies elsewhere is whoever's who made it.
  if (!sandbox.startsWith(`${base}/`)) return { base: sandbox, below: join('.', path) };
  return { base, below: join(relative(base, sandbox), path) };
}

/** A sandbox, by descriptor. */
export const holdSandbox = (workDir: string, { sandbox }: Pick<Container, 'sandbox'>): HeldDirectory =>
  holdBeneath(workDir, relative(workDir, sandbox).split('/'));

/** Where the container finds its sandbox: what a filesystem isolator has said. */
export const sandboxInside = ({ sandbox }: Pick<Container, 'sandbox'>, { data }: LaunchPlan): string =>
  data.environment.MESOS_SANDBOX ?? sandbox;
