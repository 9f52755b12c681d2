import { AsyncSeriesHook } from 'tapable';
import type { Container } from '../container.js';
import type { LaunchPlan } from '../plan/launch-plan.js';

/**
 * prepare: host-side preparation; add to the plan what the launcher shall do.
 *
 * Order    one after another, in isolation order
 * Result   the plan. Prefer it to acting: what the plan says needs no undoing
 * Failure  the launch fails; later isolators are not prepared; `cleanup` is called on every isolator that began
 */
export const createPrepareHook = () =>
  new AsyncSeriesHook<[Container, LaunchPlan]>(['container', 'plan'], 'prepare');
