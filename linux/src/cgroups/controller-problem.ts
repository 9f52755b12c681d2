import { Cgroups } from './cgroups.js';
import { kernelProblem } from './kernel-controllers.js';

/** Why this host cannot have cgroups of a controller; undefined if it can, though it may not be mounted yet. Changes nothing. */
export function controllerProblem(controller: string): string | undefined {
  const cgroups = new Cgroups();
  try {
    return cgroups.find(controller) ? undefined : kernelProblem(controller);
  } finally {
    cgroups.close();
  }
}
