/**
 * Nobody debugs this process (threat model N1): whoever speaks to Node's debugger runs code in it, as root.
 *
 * The debugger listens on 127.0.0.1, where every container on the host's network reaches it. SIGUSR1 opens it, and a
 * container of the same user may send that signal; a listener of ours takes the place of Node's own.
 *
 * Source  https://nodejs.org/docs/latest-v20.x/api/process.html#signal-events
 */

/** Call it before anything else. */
export function keepDebuggerClosed(): void {
  process.on('SIGUSR1', () => {});
}

/** Where the debugger listens, if an option opened it: `--inspect`, `--inspect-brk` or `--inspect-wait`. */
export function openDebugger(): string | undefined {
  const options = [...process.execArgv, process.env.NODE_OPTIONS ?? ''];
  if (!options.some((option) => option.includes('--inspect'))) return undefined;
  return process.getBuiltinModule('node:inspector').url(); // loaded late: it takes 2 ms
}

/** They were meant for this process: a --require in them would run in every Node that is started from here. */
export function dropNodeOptions(): void {
  delete process.env.NODE_OPTIONS;
}
