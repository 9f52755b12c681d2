import { rmSync } from 'node:fs';
import type { Generation } from '../plugin-host/generation.js';
import type { Core } from './core.js';
import { claimAbandonedRuns, type Home } from './home.js';
import { endTheRest, planRecovery, recoverIsolators, resume } from './recovery.js';
import type { Registry } from './registry.js';
import { scan } from './scan.js';

/** What an earlier process of this owner left, then what is left of runs whose owner has died. */
export async function recoverAll(
  core: Core,
  generation: Generation,
  home: Home,
  registry: Registry,
): Promise<void> {
  await recoverOwn(core, generation, home, registry);
  for (const { directory, ownership } of claimAbandonedRuns(home.sharedRuntimeDir)) {
    const directories = { workDir: home.workDir, runtimeDir: directory };
    const isUndone = await discardRun(core, generation, directories, registry);
    // What could not be undone is left to a start that can: with other isolators, or when the cause is gone.
    if (isUndone) rmSync(directory, { recursive: true, force: true });
    else ownership.release();
  }
}

async function recoverOwn(core: Core, generation: Generation, home: Home, registry: Registry): Promise<void> {
  const found = scan(home, core.log);
  for (const { id, place } of found) registry.lend(id, place.runtimeDirectory);
  const plan = await planRecovery(core, generation, found, false);
  const ending = plan.ending.map(([container]) => container);
  for (const container of [...plan.ended, ...plan.running, ...ending]) registry.add(container);
  await recoverIsolators(core, generation, plan);
  resume(core, generation, plan.running);
  await endTheRest(core, plan);
  for (const container of ending)
    if (container.termination && !container.launched) registry.remove(container);
}

/** True if nothing is left of it. */
async function discardRun(
  core: Core,
  generation: Generation,
  directories: { readonly workDir: string; readonly runtimeDir: string },
  registry: Registry,
): Promise<boolean> {
  const found = scan(directories, core.log);
  for (const { id, place } of found) registry.lend(id, place.runtimeDirectory);
  const plan = await planRecovery(core, generation, found, true);
  const failed = await endTheRest(core, plan);
  for (const { id } of found) registry.takeBack(id);
  for (const container of failed) clearTimeout(container.retry);
  return failed.length === 0 && plan.running.length === 0;
}
