/** What commands that ask an agent have in common. */
import type { Command } from 'commander';
import type { AgentFlags } from '../client/address.js';
import type { AgentClient } from '../client/agent-client.js';
import { defineConfigurationFlags } from '../configuration-flags.js';

export async function connect(flags: AgentFlags): Promise<AgentClient> {
  const { findAgent } = await import('../client/address.js');
  const { AgentClient } = await import('../client/agent-client.js');
  return new AgentClient(await findAgent(flags));
}

/** Its own flags come first in the help, then those that find the agent. */
export function defineAgentFlags(command: Command): Command {
  command
    .optionsGroup('Agent:')
    .option(
      '--agent <address>',
      'socket, or https://host:port with CAISSON_TOKEN (default: the socket in --runtime-dir)',
    );
  return defineConfigurationFlags(command);
}
