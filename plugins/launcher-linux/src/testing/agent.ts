import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Container } from '@caisson/plugin-sdk';
import type { LinuxLauncherState } from '../linux-process.js';
import type { AgentJob } from './agent-main.js';

/** An agent in a process of its own, and what it has launched. */
export interface Agent {
  readonly pid: number;
  readonly launched: readonly { readonly container: Container; readonly state: LinuxLauncherState }[];
  /** Resolves once its output, which its containers may share, matches. */
  output(pattern: RegExp): Promise<void>;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('./agent-main.js', import.meta.url));

/**
 * Starts one; resolves once all containers of the job are as far as it says. Kill it in the test.
 * @param wrapper  a program, with its arguments, that starts it, such as unshare(1)
 */
export async function startAgent(job: AgentJob, wrapper: readonly string[] = []): Promise<Agent> {
  const [command = '', ...args] = [
    ...wrapper,
    process.execPath,
    '--conditions=failpoints',
    MAIN,
    JSON.stringify(job),
  ];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const states: LinuxLauncherState[] = [];
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const changed = () => Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  while (states.length < job.containers.length) {
    if (isOver()) throw new Error(`the agent ended before it had launched everything: ${output}`);
    await changed();
    states.splice(0, states.length, ...statesIn(output));
  }
  return {
    pid: child.pid as number,
    launched: job.containers.map((container, i) => ({ container, state: states[i] as LinuxLauncherState })),
    async output(pattern) {
      while (!pattern.test(output)) await changed();
    },
    kill: () => kill(child),
  };
}

const statesIn = (output: string): LinuxLauncherState[] =>
  output
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));

async function kill(child: ChildProcess): Promise<void> {
  // Its containers may hold the other end.
  child.stdout?.destroy();
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
