import { readFileSync } from 'node:fs';
import { pidfdOpen } from '@caisson/linux/syscalls';

/** A pidfd of the command that an init has started: its first child. Undefined if it has none (any more). */
export function commandOfInit(init: number): number | undefined {
  try {
    // In the order in which they were born (proc_pid_task_tid_children(5)): the command came before any orphan.
    const [command] = readFileSync(`/proc/${init}/task/${init}/children`, 'latin1').split(' ');
    return command ? pidfdOpen(Number(command)) : undefined;
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
