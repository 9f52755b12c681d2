import type { LaunchPlanData } from '@caisson/plugin-sdk';
import type { LaunchTable } from './launch-table.js';

/** One step of a launch: a pure function from the plan to records of the table. Its name is in every error of it. */
export interface LaunchStep {
  readonly name: string;
  /** Leaves the step out where the plan does not need it. Default: always there. */
  readonly needed?: (plan: LaunchPlanData) => boolean;
  compile(plan: LaunchPlanData, table: LaunchTable): void;
}
