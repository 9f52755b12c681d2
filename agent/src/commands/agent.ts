/** `caisson agent`: what it takes. What it does is in server/, a bundle of its own. */
import type { Command } from 'commander';
import { type ConfigurationFlags, defineConfigurationFlags, loadOptionsOf } from '../configuration-flags.js';
import type { Done } from '../main.js';

/** The agent's own; their meaning is in server/settings. */
const OWN = [
  ['--ip <address>', 'listen on TCP too, at this address (default with --port: 127.0.0.1)'],
  ['--port <number>', 'listen on TCP too, at this port (default with --ip: 5051)'],
  ['--http-credentials <file>', 'who may ask over TCP: principals with secrets or tokens, JSON, mode 0600'],
  ['--tcp-without-authentication', 'TCP for everybody who reaches it: they are root on this host'],
  ['--authenticate-http-readonly', 'ask for credentials on the Unix socket too, to read'],
  ['--authenticate-http-readwrite', 'ask for credentials on the Unix socket too, to change'],
  ['--tls-cert <file>', 'TLS on TCP: the certificate, PEM'],
  ['--tls-key <file>', 'TLS on TCP: its key, PEM'],
  ['--allowed-host <list>', 'other names that TCP requests may name as Host'],
  ['--takeover', 'follow the agent that serves now, without a request refused; it ends then'],
  ['--hostname <name>', 'the name of this host in answers'],
  ['--log-level <level>', 'trace, debug, info, warn, error or silent (default: info)'],
  [
    '--default-container-info <json>',
    'a ContainerInfo for outermost containers that bring none, or a file of it',
  ],
  ['--gc-delay <duration>', 'how long containers that ended are kept (default: 1weeks)'],
  ['--gc-disk-headroom <fraction>', 'how much of the disk stays free: they go sooner then (default: 0.1)'],
  ['--disk-watch-interval <duration>', 'how often it is looked which of them are due (default: 1mins)'],
  ['--http-heartbeat-interval <duration>', 'between heartbeats of a stream (default: 30secs)'],
] as const;

type AgentFlags = ConfigurationFlags & Readonly<Record<string, string | true | object | undefined>>;

export function defineAgent(caisson: Command, done: Done): void {
  const agent = caisson
    .command('agent')
    .description(
      'serve containers over HTTP, on a Unix socket; they go on when it ends, and it takes them up again',
    );
  defineConfigurationFlags(agent).optionsGroup(
    'Agent (also CAISSON_<NAME> and MESOS_<NAME> in the environment):',
  );
  for (const [flag, description] of OWN) agent.option(flag, description);
  agent.action(async (given: AgentFlags) => {
    const { config, isolation, launcher, workDir, runtimeDir, mesosFlags, takeover, ...own } = given;
    const { file, flags } = loadOptionsOf(given);
    const { serve } = await import('@caisson/agent/server');
    done(
      await serve({
        file,
        flags: { ...flags, ...(own as Record<string, string | boolean>) },
        environment: process.env,
        takeover: takeover === true,
      }),
    );
  });
}
