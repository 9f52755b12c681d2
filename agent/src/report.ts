/** What went wrong, as people and programs read it. */
import { isCaissonError, messageOf } from '@caisson/plugin-sdk';
import { CommanderError } from 'commander';
import { errors } from './errors.js';
import { FAILED, statusOfError } from './exit-status.js';

/** Writes it to stderr and returns the exit status for it. */
export function reportError(thrown: unknown, command: string | undefined): number {
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return FAILED; // it has been written
  const error = thrown instanceof CommanderError ? usageError(thrown, command) : thrown;
  process.stderr.write(errorAsText(error));
  return statusOfError(error);
}

/** What a container chose (a path, a message) writes no line and no escape sequence of its own (threat model K4). */
export const withoutControls = (text: string): string =>
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (control) => JSON.stringify(control).slice(1, -1));

/** `caisson: what happened`, and a line that says what to do where we know. */
function errorAsText(error: unknown): string {
  const hint = isCaissonError(error) ? error.hint : undefined;
  const message = messageOf(error).split('\n').map(withoutControls).join('\n  ');
  return `caisson: ${message}\n${hint ? `  ${hint}\n` : ''}`;
}

/** In a line among others. */
export const errorAsLine = (error: unknown): string => messageOf(error).replaceAll(/\s*\n\s*/g, ' ');

export function errorAsObject(error: unknown): Record<string, unknown> {
  if (!isCaissonError(error)) return { code: 'UNEXPECTED', kind: 'failed', message: messageOf(error) };
  const { code, kind, message, hint, details } = error;
  return { code, kind, message, hint, details };
}

/** An error of the argument library as one of ours. */
function usageError(error: CommanderError, command: string | undefined): Error {
  const [problem = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const help = /^[a-z]+$/.test(command ?? '') ? `caisson ${command}` : 'caisson';
  return errors.USAGE(suggestion ? `${problem} ${suggestion}` : problem, help);
}
