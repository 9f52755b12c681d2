import type { Logger } from '@caisson/plugin-sdk';

const print = (level: string) => (fields: object, message: string) =>
  // As JSON, what a container controls is escaped (threat model K4).
  void process.stderr.write(`caisson: ${level}: ${message.trimEnd()} ${JSON.stringify(fields)}\n`);

const nothing = (): void => {};

/** For programs that bring no logger: what went wrong, on stderr. */
export const stderrLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: print('warning'),
  error: print('error'),
};
