import type { Logger } from '@caisson/plugin-sdk';

const print = (level: string) => (fields: object, message: string) =>
  void process.stderr.write(`caisson: ${level}: ${escaped(message)} ${escaped(JSON.stringify(fields))}\n`);

/** What a container controls writes no line of its own, and no escape sequence (threat model K4). */
const escaped = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => JSON.stringify(character).slice(1, -1));

const nothing = (): void => {};

/** For programs that bring no logger: what went wrong, on stderr. */
export const stderrLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: print('warning'),
  error: print('error'),
};
