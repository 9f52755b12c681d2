import { decodeReport, failureMessage, type SlotValues } from '@caisson/linux/exec-stage';
import type { CaissonError } from '@caisson/plugin-sdk';
import { errors } from './errors.js';
import type { LaunchTable } from './launch-table.js';

/** The failing record of a launch as an error for the person who reads it. */
export function launchError(
  id: string,
  table: LaunchTable,
  values: SlotValues,
  record: Buffer,
): CaissonError {
  const failure = decodeReport(table, record, values);
  const { call, errno, advice } = failure;
  if (call !== 'execve' || !errno) return errors.LAUNCH_STEP_FAILED(id, failureMessage(failure), advice);
  const command = String((values['argv'] as readonly string[])[0]);
  return errno === 'ENOENT'
    ? errors.COMMAND_NOT_FOUND(id, command, advice)
    : errors.COMMAND_NOT_EXECUTABLE(id, command, errno, advice);
}
