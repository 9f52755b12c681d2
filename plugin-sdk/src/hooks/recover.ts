import { AsyncSeriesHook } from 'tapable';
import type { Recovery } from '../container.js';

/**
 * recover: after a restart, take up what was checkpointed. Called once, before the first launch.
 *
 * Order    one after another, in isolation order
 * Result   none. Containers whose isolator is not enabled any more are not in `recovery`
 * Failure  the tap is reported and the agent goes on: the containers keep running
 */
export const createRecoverHook = () => new AsyncSeriesHook<[Recovery]>(['recovery'], 'recover');
