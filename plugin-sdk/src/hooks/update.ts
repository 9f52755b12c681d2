import { AsyncParallelHook } from 'tapable';
import type { Container } from '../container.js';
import type { Resources } from '../container-config.js';

/**
 * update: the allocation changed; `container.resources` and `container.limits` still hold the old one.
 *
 * Order    all taps at once
 * Result   none
 * Failure  the update fails and names the isolators; the others keep what they did
 */
export const createUpdateHook = () =>
  new AsyncParallelHook<[Container, Resources, Resources]>(['container', 'resources', 'limits'], 'update');
