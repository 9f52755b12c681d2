import { defineErrors } from '@caisson/plugin-sdk';

export const clientErrors = defineErrors({
  AGENT_UNREACHABLE: {
    kind: 'failed',
    message: (address: string, why: string) => `no agent answers at ${address}: ${why}`,
    hint: () => 'start one with `caisson agent`, or name another with --agent',
  },
  STREAM_BROKEN: {
    kind: 'failed',
    message: (address: string, why: string) => `the connection to ${address} broke off: ${why}`,
    hint: () =>
      'the agent has ended, or has let you go since you did not read; `caisson logs` has what was written',
  },
  AGENT_ADDRESS_INVALID: {
    kind: 'invalid',
    message: (address: string) => `--agent ${JSON.stringify(address)} is no address of an agent`,
    hint: () => 'give the path of its socket, or http://host:port or https://host:port',
  },
  AGENT_ANSWER_INVALID: {
    kind: 'failed',
    message: (address: string, what: string) => `what answers at ${address} is no agent: ${what}`,
  },
});
