const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Calls for each signal that would end this process, which it does not meanwhile. Returns what stops it. */
export function onSignals(handle: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of ENDING) process.on(signal, handle);
  return () => {
    for (const signal of ENDING) process.off(signal, handle);
  };
}
