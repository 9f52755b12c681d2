import { Label } from '@caisson/linux/exec-stage';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

/** The slot of the path to try as number `index`. */
export const candidateSlot = (index: number): string => `executable ${index}`;

/** Step execute: the command, looked up in the container's PATH as execvp(3) does. */
export const execute: LaunchStep = {
  name: 'execute',
  compile(_plan, table) {
    const last = table.candidates - 1;
    // Twice: the first round takes what can be executed; the second tells the errno that matters (EACCES over ENOENT).
    for (let index = 0; index < last; index++) executeCandidate(table, index, { ignoreFailure: true });
    if (last > 0) executeCandidate(table, last, { ignoreFailure: true });
    for (let index = 0; index < last; index++) {
      const next = new Label('next');
      executeCandidate(table, index, { tolerate: ['ENOENT', 'ENOTDIR'], orElse: next });
      table.place(next);
    }
    executeCandidate(table, last, {});
  },
};

function executeCandidate(
  table: LaunchTable,
  index: number,
  options: Parameters<LaunchTable['call']>[2],
): void {
  table.call(
    'execve',
    [table.slot(candidateSlot(index)), table.slot('argv'), table.slot('environment')],
    options,
  );
}
