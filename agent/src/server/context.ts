import type { Containerizer } from '@caisson/core';
import type { Logger } from '@caisson/plugin-sdk';
import type { Levels } from './logging.js';
import type { Metrics } from './metrics/metrics.js';
import type { Settings } from './settings/settings.js';
import type { Attached, Switchboard } from './switchboard/switchboard.js';
import type { Handover } from './takeover/handover.js';

/** What the API needs of the core; a test brings a stand-in. */
export type Containers = Pick<
  Containerizer,
  | 'configuration'
  | 'selection'
  | 'launch'
  | 'wait'
  | 'signal'
  | 'destroy'
  | 'remove'
  | 'update'
  | 'usage'
  | 'status'
  | 'inspect'
  | 'list'
  | 'onEvent'
  | 'terminal'
  | 'pipes'
  | 'openOutput'
>;

/** What calls and routes share. */
export interface AgentContext {
  readonly settings: Settings;
  readonly log: Logger;
  readonly levels: Levels;
  readonly metrics: Metrics;
  /** Seconds since the epoch. */
  readonly startTime: number;
  /** Undefined while they are being recovered; so is the other one. */
  readonly containers: Containers | undefined;
  readonly switchboard: Switchboard | undefined;
  readonly handover: Handover;
  /**
   * Lets the containers go to the agent that listens at the socket that follows ours, and says who is about to come to it.
   *
   * @throws HANDOVER_REFUSED
   */
  handOver(): Promise<Attached>;
  /** Reads the configuration again, for containers that are launched from then on. */
  reload(): Promise<Containers['selection']>;
}

/** As calls see it: recovered. */
export type ReadyContext = AgentContext & {
  readonly containers: Containers;
  readonly switchboard: Switchboard;
};
