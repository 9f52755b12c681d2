export { Cgroup } from './cgroup.js';
export { Cgroups } from './cgroups.js';
export { enableControllers } from './controllers.js';
export { freeze, killAll, removeAll, thaw } from './end-of-life.js';
export { Hierarchy } from './hierarchy.js';
export { type StopWatching, watchEvent, watchFile, watchPopulated } from './watch.js';
