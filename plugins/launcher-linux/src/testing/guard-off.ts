import type { CallOptions, ResultReference } from '@caisson/linux/exec-stage';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { STEPS } from '../steps/index.js';

type Call = LaunchTable['call'];

/** The steps of a launch without some of them: to show the attack that a step stops. */
export function withoutSteps(...names: string[]): LaunchStep[] {
  for (const name of names)
    if (!STEPS.some((step) => step.name === name)) throw new Error(`a launch has no step ${name}`);
  return STEPS.filter((step) => !names.includes(step.name));
}

/** The steps of a launch where one step leaves out every call of a name: the result of such a call is 0. */
export function withoutCalls(
  stepName: string,
  callName: string,
  steps: readonly LaunchStep[] = STEPS,
): LaunchStep[] {
  return steps.map((step) => (step.name === stepName ? leaveOut(step, callName) : step));
}

function leaveOut(step: LaunchStep, callName: string): LaunchStep {
  return {
    ...step,
    compile(plan, table) {
      const original: Call = table.call.bind(table);
      let found = false;
      table.call = (name, args, options?: CallOptions): ResultReference => {
        if (name !== callName) return original(name, args, options);
        found = true;
        return table.compute(0, {});
      };
      try {
        step.compile(plan, table);
      } finally {
        table.call = original;
      }
      if (!found) throw new Error(`the step ${step.name} makes no call of ${callName}`);
    },
  };
}
