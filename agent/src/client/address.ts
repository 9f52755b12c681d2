/** Where the agent is: `--agent`, else CAISSON_AGENT, else the socket in the runtime directory of the configuration. */
import { join, resolve } from 'node:path';
import { type ConfigurationFlags, loadOptionsOf } from '../configuration-flags.js';
import { clientErrors } from './errors.js';

export interface AgentFlags extends ConfigurationFlags {
  readonly agent?: string | undefined;
}

export interface Address {
  readonly shown: string;
  /** For node:http. */
  readonly where:
    | { readonly socketPath: string }
    | { readonly protocol: string; readonly hostname: string; readonly port: string };
}

/** @throws AGENT_ADDRESS_INVALID, and what loading a configuration throws */
export async function findAgent(
  flags: AgentFlags,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Address> {
  const given = flags.agent ?? environment.CAISSON_AGENT;
  if (given !== undefined)
    return given.includes('://') ? addressOfUrl(given) : addressOfSocket(resolve(given));
  const { loadConfiguration } = await import('@caisson/core');
  const { values } = await loadConfiguration(loadOptionsOf(flags));
  return addressOfSocket(join(values.runtimeDir, 'agent.sock'));
}

const addressOfSocket = (socketPath: string): Address => ({ shown: socketPath, where: { socketPath } });

function addressOfUrl(text: string): Address {
  if (!URL.canParse(text)) throw clientErrors.AGENT_ADDRESS_INVALID(text);
  const { protocol, hostname, port } = new URL(text);
  if (!['http:', 'https:'].includes(protocol)) throw clientErrors.AGENT_ADDRESS_INVALID(text);
  return {
    shown: text,
    where: { protocol, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port: port || '5051' },
  };
}
