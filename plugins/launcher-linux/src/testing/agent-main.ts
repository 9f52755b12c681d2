/**
 * An agent of its own process, to be killed: launches what the job says, tells each container's state on a line, and goes on until
 * it is killed. `node --conditions=failpoints agent-main.js '<job as JSON>'`
 */
import { writeSync } from 'node:fs';
import { Cgroups } from '@caisson/linux/cgroups';
import { Reaper } from '@caisson/linux/process';
import type { Container, LaunchPlanData } from '@caisson/plugin-sdk';
import { forkContainer } from '../fork.js';
import { NullInput } from '../null-input.js';
import { type NamedSteps, stepsByName } from './guard-off.js';

export interface AgentJob {
  readonly containers: readonly Container[];
  readonly plan: LaunchPlanData;
  readonly until: 'gate' | 'running' | 'gate opened';
  readonly steps?: NamedSteps | undefined;
  /** A cgroup of the hierarchy that containers are tracked in, where an isolator would move them. */
  readonly cgroup?: string | undefined;
}

const { containers, plan, until, steps, cgroup } = JSON.parse(process.argv[2] as string) as AgentJob;
const context = {
  reaper: new Reaper(),
  cgroups: new Cgroups(),
  input: new NullInput(),
  imageDirectory: '/tmp',
  patienceMs: () => 0,
  steps: steps && stepsByName(steps),
};
for (const container of containers) {
  const launched = await forkContainer(container, plan, context);
  if (cgroup !== undefined) context.cgroups.tracking()?.cgroup(cgroup).add(launched.pid);
  const released = until === 'gate' ? undefined : launched.release();
  if (until === 'running') await released;
  writeSync(1, `${JSON.stringify(launched.state)}\n`);
}
setInterval(() => {}, 1e9);
