import {
  type CallTable,
  decodeReport,
  type Failure,
  failureMessage,
  type SlotValues,
} from '@caisson/linux/exec-stage';
import { CaissonError } from '@caisson/plugin-sdk';
import { errors } from './errors.js';

/** The failing record of a launch as an error for the person who reads it; for programs its parts are in `details`. */
export function launchError(id: string, table: CallTable, values: SlotValues, record: Buffer): CaissonError {
  const failure = decodeReport(table, record, values);
  const { step, call, errno } = failure;
  const { code, kind, message, hint } = errorOf(id, failure, values);
  return new CaissonError({ code, kind, message, hint, details: { launchStep: step, call, errno } });
}

function errorOf(id: string, failure: Failure, values: SlotValues): CaissonError {
  const { call, errno, advice } = failure;
  if (call !== 'execve' || !errno) return errors.LAUNCH_STEP_FAILED(id, failureMessage(failure), advice);
  const command = String((values.argv as readonly string[])[0]);
  return errno === 'ENOENT'
    ? errors.COMMAND_NOT_FOUND(id, command, advice)
    : errors.COMMAND_NOT_EXECUTABLE(id, command, errno, advice);
}
