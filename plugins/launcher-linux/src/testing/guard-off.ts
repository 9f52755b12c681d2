import type { CallOptions, ResultReference } from '@caisson/linux/exec-stage';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';
import { STEPS } from '../steps/index.js';

type Call = LaunchTable['call'];

/** Steps that a test names to another process. */
export type NamedSteps = 'slow credentials' | 'slow credentials, no look at the gate';

export function stepsByName(name: NamedSteps): LaunchStep[] {
  const steps = name === 'slow credentials' ? STEPS : withoutSteps('stay-with-agent');
  return stepsWith('become-user', pause(1500), steps);
}

/** The steps of a launch without some of them: to show the attack that a step stops. */
export function withoutSteps(...names: string[]): LaunchStep[] {
  return leaveOutSteps(STEPS, names);
}

/** Of these steps, some are left out. */
export function leaveOutSteps(steps: readonly LaunchStep[], names: readonly string[]): LaunchStep[] {
  for (const name of names)
    if (!steps.some((step) => step.name === name)) throw new Error(`a launch has no step ${name}`);
  return steps.filter((step) => !names.includes(step.name));
}

/** The steps of a launch with one more, behind the one that is named. */
export function stepsWith(
  behind: string,
  step: LaunchStep,
  steps: readonly LaunchStep[] = STEPS,
): LaunchStep[] {
  const at = steps.findIndex(({ name }) => name === behind);
  if (at < 0) throw new Error(`a launch has no step ${behind}`);
  return steps.toSpliced(at + 1, 0, step);
}

/** A step that takes its time: a moment of a launch made long enough to act in. */
export const pause = (ms: number): LaunchStep => ({
  name: 'pause',
  compile(_plan, table) {
    const time = Buffer.alloc(16);
    time.writeBigInt64LE(BigInt(Math.trunc(ms / 1000)), 0);
    time.writeBigInt64LE(BigInt((ms % 1000) * 1_000_000), 8);
    table.call('ppoll', [0, 0, table.bytes(time), 0, 8]);
  },
});

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
