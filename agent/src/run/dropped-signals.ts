/**
 * Signals that the kernel drops: the first process of a pid namespace gets from outside only what it catches, though
 * the same signal would end any other process. So ^C would do nothing to most programs.
 *
 * Source  pid_namespaces(7), proc_pid_status(5)
 */
import { readFileSync } from 'node:fs';

/** What the process has taken into its own hands. One that it blocks waits for sigwait(2) or a signalfd. */
const TAKEN = ['SigCgt', 'SigIgn', 'SigBlk'];

/** True if a signal would be dropped that ends other processes. False where there is no /proc, or no such process. */
export function isDropped(pid: number, signal: number): boolean {
  const status = readStatus(pid);
  return (
    status !== undefined && isFirstOfItsNamespace(status) && !TAKEN.some((mask) => has(status[mask], signal))
  );
}

type Status = Readonly<Record<string, string>>;

function readStatus(pid: number): Status | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Object.fromEntries(text.split('\n').map((line) => line.split(':\t', 2)));
  } catch {
    return undefined;
  }
}

/** One pid per namespace, the innermost last. */
function isFirstOfItsNamespace({ NSpid }: Status): boolean {
  const pids = NSpid?.split('\t') ?? [];
  return pids.length > 1 && pids.at(-1) === '1';
}

const has = (mask = '0', signal: number): boolean =>
  ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
