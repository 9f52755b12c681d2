import type { LaunchStep } from '../step.js';
import { adjustOomScore } from './adjust-oom-score.js';
import { awaitLaunch } from './await-launch.js';
import { becomeSupervisor } from './become-supervisor.js';
import { becomeUser, dropBounding, setCapabilities } from './become-user.js';
import { cloneContainer } from './clone-container.js';
import { closeDescriptors } from './close-descriptors.js';
import { createFilesystems } from './create-filesystems.js';
import { detachMounts } from './detach-mounts.js';
import { enterRootfs, keepRoot } from './enter-rootfs.js';
import { enterWorkingDirectory } from './enter-working-directory.js';
import { execute } from './execute.js';
import { fillFilesystems, makeFiles } from './file-operations.js';
import { copyMounts, joinNamespaces } from './join-namespaces.js';
import { leaveHost } from './leave-host.js';
import { makeReadOnly, makeReadOnlyAhead } from './make-read-only.js';
import { maskPaths, maskPathsAhead } from './mask-paths.js';
import { mountFilesystems } from './mount-filesystems.js';
import { openBindSources, openPeerSources } from './open-bind-sources.js';
import { restoreAffinity } from './restore-affinity.js';
import { returnToHost } from './return-to-host.js';
import { runInit, startInit } from './run-init.js';
import { newKeyring, setLimits } from './set-limits.js';
import { supervise } from './supervise.js';
import { mountTerminals, takeTerminal } from './take-terminal.js';
import { stayWithAgent, waitAtGate } from './wait-at-gate.js';

/** A launch, in order. */
export const STEPS: readonly LaunchStep[] = [
  // the supervisor
  becomeSupervisor,
  cloneContainer,
  // the first process of the container: what is the same for each launch of its kind
  leaveHost,
  returnToHost,
  openPeerSources,
  detachMounts,
  createFilesystems,
  adjustOomScore,
  fillFilesystems,
  maskPathsAhead,
  makeReadOnlyAhead,
  newKeyring,
  dropBounding,
  awaitLaunch,
  openBindSources,
  joinNamespaces,
  copyMounts,
  enterRootfs,
  keepRoot,
  mountFilesystems,
  mountTerminals,
  makeFiles,
  maskPaths,
  makeReadOnly,
  takeTerminal,
  closeDescriptors,
  setLimits,
  // ours until here: mounts are made while the agent isolates, on another processor
  waitAtGate,
  becomeUser,
  setCapabilities,
  stayWithAgent,
  enterWorkingDirectory,
  restoreAffinity,
  startInit,
  execute,
  // where the parents of its clones go on
  runInit,
  supervise,
];
