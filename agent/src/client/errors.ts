import { defineErrors, isCaissonError } from '@caisson/plugin-sdk';

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
  AGENT_STAYS_AWAY: {
    kind: 'failed',
    message: (address: string, within: string, why: string) =>
      `the connection to ${address} broke off, and no agent took it up again within ${within}: ${why}`,
    hint: () => 'the container goes on: attach again once there is an agent; --reattach-within waits longer',
  },
  INPUT_ON_ITS_WAY: {
    kind: 'failed',
    message: (address: string, bytes: number) =>
      `the connection to ${address} broke off while ${bytes} bytes of input were on their way: nobody knows whether the container ` +
      'has them',
    hint: () => 'the container goes on: attach again, and send what is missing',
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

const AWAY = ['AGENT_UNREACHABLE', 'STREAM_BROKEN', 'RECOVERING', 'CONTAINERIZER_CLOSED'];

/** There is no agent, or none that has its containers already. */
export const isAway = (error: unknown): boolean => isCaissonError(error) && AWAY.includes(error.code);
