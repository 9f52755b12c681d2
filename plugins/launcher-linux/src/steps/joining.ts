import type { LaunchPlanData } from '@caisson/plugin-sdk';
import type { LaunchStep } from '../step.js';
import { adjustOomScore } from './adjust-oom-score.js';
import { becomeSupervisor } from './become-supervisor.js';
import { becomeUser, dropBounding, keepAdministration, setCapabilities } from './become-user.js';
import { cloneContainer } from './clone-container.js';
import { closeDescriptors } from './close-descriptors.js';
import { detachMounts } from './detach-mounts.js';
import { enterPidNamespace, holdRoot, leaveDoor, leaveJoiner, ownSession } from './enter-pid-namespace.js';
import { enterRootfs, keepRoot } from './enter-rootfs.js';
import { enterWorkingDirectory } from './enter-working-directory.js';
import { execute } from './execute.js';
import { makeFiles } from './file-operations.js';
import { STEPS } from './index.js';
import { copyMounts, entersPidNamespace, joinNamespaces } from './join-namespaces.js';
import { makeReadOnly } from './make-read-only.js';
import { maskPaths } from './mask-paths.js';
import { mountFilesystems } from './mount-filesystems.js';
import { openBindSources, openPeerSources } from './open-bind-sources.js';
import { administersInside, inside, makeMountPoints, outside } from './part-of-plan.js';
import { restoreAffinity } from './restore-affinity.js';
import { runInit, startInit } from './run-init.js';
import { newKeyring, setLimits } from './set-limits.js';
import { supervise } from './supervise.js';
import { mountTerminals, takeTerminal } from './take-terminal.js';
import { stayWithAgent, waitAtGate } from './wait-at-gate.js';

const where = (step: LaunchStep, needed: (plan: LaunchPlanData) => boolean): LaunchStep => ({
  ...step,
  needed: (plan) => needed(plan) && (step.needed?.(plan) ?? true),
});
/** With nothing to make inside, all is done outside, and what enters only executes. */
const isReady = (plan: LaunchPlanData): boolean => !administersInside(plan);

/**
 * A launch into the pid namespace of another container, in order. Entering is the last act that the plan leaves to be one:
 * behind it come its /proc, which can be mounted nowhere else, and the command.
 */
export const JOINING_STEPS: readonly LaunchStep[] = [
  // the supervisor
  becomeSupervisor,
  outside(cloneContainer),
  // the joiner, in the agent's pid namespace
  adjustOomScore,
  openPeerSources,
  detachMounts,
  openBindSources,
  joinNamespaces,
  copyMounts,
  enterRootfs,
  keepRoot,
  outside(mountFilesystems),
  outside(mountTerminals),
  makeMountPoints,
  makeFiles,
  outside(maskPaths),
  outside(makeReadOnly),
  closeDescriptors,
  newKeyring,
  setLimits,
  dropBounding,
  waitAtGate,
  becomeUser,
  where(keepAdministration, administersInside),
  where(setCapabilities, isReady),
  where(enterWorkingDirectory, isReady),
  restoreAffinity,
  // in sight of the container around it
  enterPidNamespace,
  ownSession,
  takeTerminal,
  where(holdRoot, administersInside),
  inside(mountFilesystems),
  inside(maskPaths),
  inside(makeReadOnly),
  where(inside(setCapabilities), administersInside),
  where(inside(enterWorkingDirectory), administersInside),
  stayWithAgent,
  startInit,
  execute,
  // where the parents of its clones go on
  leaveDoor,
  leaveJoiner,
  runInit,
  supervise,
];

/** The steps of a plan's launch. */
export const stepsFor = (plan: LaunchPlanData): readonly LaunchStep[] =>
  entersPidNamespace(plan) ? JOINING_STEPS : STEPS;
