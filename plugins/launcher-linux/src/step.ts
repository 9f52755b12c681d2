import type { LaunchPlanData } from '@caisson/plugin-sdk';
import type { LaunchTable } from './launch-table.js';

/** Whether a table is the image of a supervisor that is spawned, or what a process of the fork server receives. */
export type Handover = 'spawned' | 'received';

/** One step of a launch: a pure function from the plan to records of the table. Its name is in every error of it. */
export interface LaunchStep {
  readonly name: string;
  /**
   * Which way of starting a launch has this step: a supervisor that is spawned with it, or a process of the fork server, which has
   * its supervisor already. Default: both.
   */
  readonly only?: Handover;
  /** Leaves the step out where the plan does not need it. Default: always there. */
  readonly needed?: (plan: LaunchPlanData) => boolean;
  compile(plan: LaunchPlanData, table: LaunchTable): void;
}
