import { attachCalls } from './attach.js';
import type { Call } from './call.js';
import { containerCalls } from './containers.js';
import { fileCalls } from './files.js';
import { operatorCalls } from './operator.js';
import { sessionCall } from './session.js';
import { subscribeCall } from './subscribe.js';

/** Every call of POST /api/v1. */
export const calls: readonly Call[] = [
  ...operatorCalls,
  ...containerCalls,
  ...attachCalls,
  sessionCall,
  ...fileCalls,
  subscribeCall,
];

export const callByType: ReadonlyMap<string, Call> = new Map(calls.map((call) => [call.type, call]));

/** Calls of Mesos that this agent knows and does not answer yet. */
export const NOT_IMPLEMENTED: ReadonlySet<string> = new Set(['UNKNOWN', 'PRUNE_IMAGES']);
