import { SyncHook } from 'tapable';
import type { Container, ReportLimitation } from '../container.js';

/**
 * watch: start watching; call `report` when the container must be stopped (memory, quota). Called before the gate opens.
 * It may also be called from `cleanup`, of a container whose process has ended by itself: then that is why it ended.
 *
 * Order    every tap is called at once; none waits for another
 * Result   the first limitation wins; a healthy isolator never reports one
 * Failure  a tap that throws ends the container with the name of the isolator in the reason
 */
// Not AsyncParallelBailHook: it reports a tap's result only once every earlier tap has settled.
export const createWatchHook = () =>
  new SyncHook<[Container, ReportLimitation]>(['container', 'report'], 'watch');
