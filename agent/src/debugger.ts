/**
 * Nobody debugs this process (threat model N1): whoever speaks to Node's debugger runs code in it, as root.
 *
 * The debugger listens on 127.0.0.1, where every container on the host's network reaches it. SIGUSR1 opens it, and a
 * container of the same user may send that signal; a listener of ours takes the place of Node's own.
 *
 * Source  https://nodejs.org/docs/latest-v20.x/api/process.html#signal-events
 */

/** What this process was started with: Node opens its debugger for `--inspect`, `--inspect-brk`, `--inspect-wait`. */
const OPTIONS = [...process.execArgv, process.env.NODE_OPTIONS ?? ''];

/** Call it before anything else. */
export function keepDebuggerClosed(): void {
  process.on('SIGUSR1', () => {});
  // Meant for this process: a --require in it would run in every Node that is started from here.
  delete process.env.NODE_OPTIONS;
}

/** Where the debugger listens, if an option opened it. */
export function openDebugger(): string | undefined {
  if (!OPTIONS.some((option) => option.includes('--inspect'))) return undefined;
  return process.getBuiltinModule('node:inspector').url(); // loaded late: it takes 2 ms
}
