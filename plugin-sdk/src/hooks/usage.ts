import { AsyncParallelHook } from 'tapable';
import type { Container } from '../container.js';
import type { ResourceStatistics } from '../statistics.js';

/**
 * usage: fill in your fields of the statistics.
 *
 * Order    all taps at once
 * Result   the fields, set on `statistics`
 * Failure  the tap is left out of the result and logged; the other fields stand
 */
export const createUsageHook = () =>
  new AsyncParallelHook<[Container, ResourceStatistics]>(['container', 'statistics'], 'usage');
