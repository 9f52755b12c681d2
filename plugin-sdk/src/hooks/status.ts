import { AsyncParallelHook } from 'tapable';
import type { Container } from '../container.js';
import type { ContainerStatus } from '../statistics.js';

/**
 * status: fill in your fields of the status.
 *
 * Order    all taps at once
 * Result   the fields, set on `status`
 * Failure  the tap is left out of the result and logged; the other fields stand
 */
export const createStatusHook = () =>
  new AsyncParallelHook<[Container, ContainerStatus]>(['container', 'status'], 'status');
