import type { Checkpoints, Logger } from '@caisson/plugin-sdk';
import type { ConfigurationValues } from '../configuration/values.js';
import type { GenerationHost } from './generation.js';
import type { Selection } from './selection.js';

const nothing = (): void => {};

export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const emptyStore: Checkpoints = { get: () => undefined, set: nothing, delete: nothing };

/** For a generation that is looked at and never used. */
export const silentHost = (values: ConfigurationValues, selection: Selection): GenerationHost => ({
  log: silentLogger,
  environment: { workDir: values.workDir, runtimeDir: values.runtimeDir, ...selection },
  timeouts: values.timeouts,
  observer: { tapped: nothing, failedLate: nothing },
  checkpointsFor: () => emptyStore,
});
