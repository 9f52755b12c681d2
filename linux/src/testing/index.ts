export { busyboxProblem, busyboxRootfs } from './busybox-rootfs.js';
export {
  type Census,
  type CensusEntry,
  type CensusOptions,
  compareCensus,
  takeCensus,
} from './census.js';
export { type GatedEnd, GatedProcess } from './gated-process.js';
export { inMountNamespace, inNamespaces, type NamespaceModules } from './in-namespaces.js';
export { LOOP_KINDS, LoopFilesystem, type LoopKind, loopProblem } from './loop-filesystem.js';
export { asRoot, type Needs, needs, unmet } from './needs.js';
export { reapOrphansMeanwhile } from './reap-orphans.js';
export { exchangeForEver } from './renaming-attacker.js';
export { SLOWNESS } from './slowness.js';
export { type WithCensusOptions, withCensus, withoutTrace } from './with-census.js';
