import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  DEBUGGER_REFUSED: {
    kind: 'denied',
    message: (url: string) =>
      `a debugger listens on ${url}: whoever reaches it runs code as this user, containers included`,
    hint: () => 'start without --inspect (also in NODE_OPTIONS)',
  },
  INTERRUPTED: {
    kind: 'failed',
    message: (signal: string) => `${signal} came before the command was started`,
    details: (signal: string) => ({ signal }),
  },
  SYSTEM_CALLS_UNKNOWN: {
    kind: 'unsupported',
    message: (launcher: string) => `the launcher ${launcher} has no system calls to show`,
    hint: () => 'the launcher linux has',
  },
  USAGE: {
    kind: 'invalid',
    message: (problem: string, _command: string) => problem,
    hint: (_problem: string, command: string) => `${command} --help lists what it takes`,
  },
  FLAG_INVALID: {
    kind: 'invalid',
    message: (flag: string, value: string, _example: string) =>
      `${flag} ${JSON.stringify(value)} is not understood`,
    hint: (flag: string, _value: string, example: string) => `write it like ${flag} ${example}`,
  },
});
