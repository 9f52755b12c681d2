import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Container } from '@caisson/plugin-sdk';
import type { LinuxLauncherState } from '../linux-process.js';
import type { AgentJob } from './agent-main.js';

/** An agent in a process of its own, and what it has launched. */
export interface Agent {
  readonly pid: number;
  readonly launched: readonly { readonly container: Container; readonly state: LinuxLauncherState }[];
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('./agent-main.js', import.meta.url));

/** Starts one; resolves once all containers of the job are as far as it says. Kill it in the test. */
export async function startAgent(job: AgentJob): Promise<Agent> {
  const child = spawn(process.execPath, ['--conditions=failpoints', MAIN, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const states: LinuxLauncherState[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    states.push(JSON.parse(line));
    if (states.length === job.containers.length) break;
  }
  if (states.length < job.containers.length)
    throw new Error('the agent ended before it had launched everything');
  const launched = job.containers.map((container, i) => ({
    container,
    state: states[i] as LinuxLauncherState,
  }));
  return { pid: child.pid as number, launched, kill: () => kill(child) };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'close');
  child.kill('SIGKILL');
  await gone;
}
