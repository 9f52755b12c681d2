import { AsyncSeriesHook } from 'tapable';
import type { Container } from '../container.js';

/**
 * cleanup: undo `prepare` and `isolate`. Every process of the container has ended.
 *
 * Order    one after another, in reverse isolation order (the core calls the taps; tapable would stop at a failure)
 * Result   none. Must accept a container it never saw, and be called again after a failure
 * Failure  the others are still called; the core tries again later and reports
 */
export const createCleanupHook = () => new AsyncSeriesHook<[Container]>(['container'], 'cleanup');
