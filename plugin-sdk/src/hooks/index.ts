import { createCleanupHook } from './cleanup.js';
import { createIsolateHook } from './isolate.js';
import { createPrepareHook } from './prepare.js';
import { createRecoverHook } from './recover.js';
import { createStatusHook } from './status.js';
import { createUpdateHook } from './update.js';
import { createUsageHook } from './usage.js';
import { createWatchHook } from './watch.js';

/** The phases of a container's life, in the order in which they first happen. */
export const PHASES = [
  'recover',
  'prepare',
  'isolate',
  'watch',
  'update',
  'usage',
  'status',
  'cleanup',
] as const;
export type Phase = (typeof PHASES)[number];

/**
 * The hooks that an isolator taps. Order comes from the configuration and from declared requirements: the core
 * refuses `stage`, `before` and two taps of one name in one phase.
 */
export interface ContainerizerHooks {
  readonly recover: ReturnType<typeof createRecoverHook>;
  readonly prepare: ReturnType<typeof createPrepareHook>;
  readonly isolate: ReturnType<typeof createIsolateHook>;
  readonly watch: ReturnType<typeof createWatchHook>;
  readonly update: ReturnType<typeof createUpdateHook>;
  readonly usage: ReturnType<typeof createUsageHook>;
  readonly status: ReturnType<typeof createStatusHook>;
  readonly cleanup: ReturnType<typeof createCleanupHook>;
}

export function createHooks(): ContainerizerHooks {
  return {
    recover: createRecoverHook(),
    prepare: createPrepareHook(),
    isolate: createIsolateHook(),
    watch: createWatchHook(),
    update: createUpdateHook(),
    usage: createUsageHook(),
    status: createStatusHook(),
    cleanup: createCleanupHook(),
  };
}
