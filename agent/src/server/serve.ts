/** The process `caisson agent`: from its start to the signal that ends it. */
import { messageOf } from '@caisson/plugin-sdk';
import { Agent, type AgentOptions } from './agent.js';

const ENDING = ['SIGTERM', 'SIGINT'] as const;

/** Resolves to the exit status once the agent was told to stop. */
export async function serve(options: AgentOptions): Promise<number> {
  const told = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ENDING) process.on(signal, resolve);
  });
  // Before the start: a signal without a listener ends the process, and managers send it as soon as they like.
  const starting = Agent.start(options);
  process.on('SIGHUP', () => void starting.then(reload, () => {}));
  reportUnhandled(starting);
  const agent = await starting;
  const replaced = agent.handover.replaced.then(() => 'replaced' as const);
  const why = await Promise.race([told, replaced]);
  if (why === 'replaced') {
    agent.log.info({}, 'another agent has taken over');
    if ((await Promise.race([told, agent.retire()])) === undefined) return 0;
  }
  agent.log.info({ signal: await told }, 'stopping; containers go on');
  await agent.stop();
  return 0;
}

async function reload(agent: Agent): Promise<void> {
  try {
    await agent.reload();
  } catch (error) {
    agent.log.error({ error: messageOf(error) }, 'the new configuration is refused; the old one goes on');
  }
}

/** What an isolator's promise threw when nobody listened ends no agent (threat model K2). */
function reportUnhandled(starting: Promise<Agent>): void {
  const report = (error: unknown) => (agent: Agent) =>
    agent.log.error(
      { isolator: agent.containers?.isolatorOf(error), error: messageOf(error) },
      'a rejection that nobody handled',
    );
  process.on('unhandledRejection', (error) => void starting.then(report(error), () => {}));
}
