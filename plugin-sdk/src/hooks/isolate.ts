import { AsyncParallelHook } from 'tapable';
import type { Container } from '../container.js';

/**
 * isolate: the process exists and is held at the gate; confine it.
 *
 * Order    all taps at once
 * Result   none. The gate opens when all have finished
 * Failure  the launch fails; the core first waits for the other taps, then undoes all
 */
export const createIsolateHook = () =>
  new AsyncParallelHook<[Container, number]>(['container', 'pid'], 'isolate');
