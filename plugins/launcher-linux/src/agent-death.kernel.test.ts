import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, readlinkSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CallTable, isImage, Program } from '@caisson/linux/exec-stage';
import { readStat } from '@caisson/linux/proc';
import { openByIdentity, type ProcessIdentity, posixSpawn } from '@caisson/linux/process';
import { close, P_PID, PR, pidfdSendSignal, pollReadable, WAIT, waitid } from '@caisson/linux/syscalls';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { describe, expect } from '@jest/globals';
import { adoptContainer } from './adopt.js';
import { readStatusFile } from './status-file.js';
import { startAgent } from './testing/agent.js';
import type { NamedSteps } from './testing/guard-off.js';
import { kernelTest, readIfPresent, useLaunchKit } from './testing/launch-kit.js';
import { hostPlan, type PlanEdit } from './testing/standard-plan.js';

// What a killed agent leaves is inherited by this process, the next subreaper.
const kit = useLaunchKit({ reapOrphans: true });
const SIGTERM = 15;
const user = { uid: 1000, gid: 1000, supplementaryGids: [] };

const hasBecome = (uid: number, pid: number): boolean =>
  new RegExp(`^Uid:\\s+${uid}\\s`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** Undefined once it has ended. */
function executableOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

describe('dieWithParent', () => {
  /** What becomes of a container whose agent is killed while its credentials change. */
  async function fate(steps: NamedSteps): Promise<'executed' | 'ended'> {
    const plan = kit.plan('sleep 1000', { dieWithParent: true, user });
    const agent = await startAgent({ containers: [kit.container()], plan, until: 'gate opened', steps });
    const [{ state } = { state: undefined }] = agent.launched;
    const pidfd = openByIdentity(state?.process as never) as number;
    while (!hasBecome(user.uid, state?.process.pid as number)) await sleep(1);
    await agent.kill();
    try {
      for (;;) {
        if (pollReadable(pidfd, 20)) return 'ended';
        const executable = executableOf(state?.process.pid as number);
        if (executable !== undefined && !isImage(executable)) return 'executed';
      }
    } finally {
      pidfdSendSignal(pidfd, 9);
      close(pidfd);
    }
  }

  kernelTest(
    'reaches a container that changes its credentials, which clears the parent-death signal',
    async () => {
      expect(await fate('slow credentials, no look at the gate')).toBe('executed');
      expect(await fate('slow credentials')).toBe('ended');
    },
  );
});

/** Resolves once a process has ended; it fails by the time-out of the test. */
async function ended(pidfd: number): Promise<void> {
  while (!pollReadable(pidfd, 0)) await sleep(1);
}

/** An agent that has launched `plan` and is dead by now; what it has left, taken up. */
async function leftBehind(plan: LaunchPlanData, ready = /ready/) {
  const container = kit.container();
  const agent = await startAgent({ containers: [container], plan, until: 'running' });
  const { state } = agent.launched[0] as (typeof agent.launched)[0];
  while (!ready.test(readIfPresent(join(container.sandbox, 'stdout')))) await sleep(1);
  await agent.kill();
  return { container, state };
}

describe('a container whose agent was killed', () => {
  const untilTerm = 'trap "echo told; exit 8" TERM; echo ready; while :; do sleep 0.01; done';

  kernelTest('goes on, is taken up by its identity, obeys, and its true status is known', async () => {
    const { process: adopted } = kit.adopt(await leftBehind(kit.plan(untilTerm)));
    expect(adopted.signal(SIGTERM)).toBe(true);
    expect(await adopted.exited).toBe(8 << 8);
    expect(adopted.signal(SIGTERM)).toBe(false);
    await adopted.destroy();
  });

  kernelTest('goes on with an init, and in the pid namespace of the agent', async () => {
    const environment = { PATH: '/bin:/usr/bin' };
    for (const plan of [kit.plan(untilTerm, { init: true }), hostPlan(untilTerm, { environment })]) {
      const { process: adopted } = kit.adopt(await leftBehind(plan));
      expect(adopted.signal(SIGTERM)).toBe(true);
      expect(await adopted.exited).toBe(8 << 8);
    }
  });

  kernelTest('is destroyed by the next agent, with all it has started', async () => {
    const script = 'setsid sleep 1000 & echo ready; sleep 1000';
    for (const plan of [kit.plan(script), hostPlan(script, { environment: { PATH: '/bin:/usr/bin' } })]) {
      const { process: adopted } = kit.adopt(await leftBehind(plan));
      await Promise.all([adopted.destroy(), adopted.destroy()]);
      expect(await adopted.exited).toBe(9);
    }
  });

  kernelTest('has joined a pid namespace: the one that joined is taken up', async () => {
    const parent = await kit.start('sleep 1000');
    const enter = (['mount', 'pid'] as const).map((kind) => ({ kind, pid: parent.process.pid }));
    const plan = hostPlan(untilTerm, { namespaces: { create: [], enter }, environment: { PATH: '/bin' } });
    const { process: adopted } = kit.adopt(await leftBehind(plan));
    expect(adopted.pid).not.toBe(adopted.state.process.pid);
    expect(adopted.signal(SIGTERM)).toBe(true);
    expect(await adopted.exited).toBe(8 << 8);
  });

  kernelTest('keeps its terminal, which the next agent takes back', async () => {
    const plan = kit.plan('trap "exit 1" HUP; read line; echo "got $line"; read line', { stdio: 'terminal' });
    const { process: adopted } = kit.adopt(await leftBehind(plan, /^$/));
    const master = adopted.terminal?.take() as number;
    writeSync(master, 'it\n');
    let text = '';
    while (!text.includes('got it')) {
      const buffer = Buffer.alloc(100);
      // Its other readers do not block either (O_NONBLOCK is of the open file).
      pollReadable(master, 5000);
      text += buffer.toString('utf8', 0, readSync(master, buffer));
    }
    closeSync(master);
    await adopted.destroy();
    expect(await adopted.exited).toBe(9);
  });

  kernelTest('has ended meanwhile: its status was kept', async () => {
    const left = await leftBehind(kit.plan('echo ready; exit 21'));
    const { runtimeDirectory } = left.container;
    while (readStatusFile(join(runtimeDirectory, 'status')) === undefined) await sleep(1);
    const { process: adopted } = kit.adopt(left);
    expect(await adopted.exited).toBe(21 << 8);
    expect(adopted.signal(SIGTERM)).toBe(false);
    await adopted.destroy();
  });

  kernelTest('has lost its supervisor too, and died with it: whoever inherits it can tell', async () => {
    const left = await leftBehind(kit.plan('echo ready; sleep 1000'));
    const pidfd = openByIdentity(left.state.process) as number;
    process.kill(left.state.supervisor.pid, 'SIGKILL');
    await ended(pidfd);
    expect(await kit.adopt(left).process.exited).toBe(9);
    close(pidfd);
    // Nobody inherits it any more: it has been reaped.
    expect(await kit.adopt(left).process.exited).toBeUndefined();
  });

  describe('has made itself deaf to the end of its supervisor, as any process can (PR_SET_PDEATHSIG)', () => {
    async function deaf(edit: PlanEdit): Promise<Awaited<ReturnType<typeof leftBehind>> & { pidfd: number }> {
      const table = new CallTable();
      table.call('prctl', [PR.PR_SET_PDEATHSIG, 0, 0, 0, 0]);
      table.call('write', [1, table.string('ready\n'), 6]);
      table.call('ppoll', [0, 0, 0, 0, 8]);
      writeFileSync(join(kit.rootfs, 'tmp/deaf'), new Program(table).fill(), { mode: 0o755 });
      const left = await leftBehind(kit.plan(['/tmp/deaf'], edit));
      rmSync(join(kit.rootfs, 'tmp/deaf'));
      const pidfd = openByIdentity(left.state.process) as number;
      process.kill(left.state.supervisor.pid, 'SIGKILL');
      while (readStat(left.state.supervisor.pid)?.state === 'S') await sleep(1);
      return { ...left, pidfd };
    }

    kernelTest('and goes on without it, until the next agent ends it', async () => {
      const left = await deaf({});
      expect(readStat(left.state.process.pid)?.state).toBe('S');
      expect(await kit.adopt(left).process.exited).toBe(9);
      close(left.pidfd);
    });

    kernelTest('in vain where an init is the first process: that is ours, and hears', async () => {
      const left = await deaf({ init: true });
      await ended(left.pidfd);
      close(left.pidfd);
    });
  });
});

describe('a state', () => {
  kernelTest('that is none of this launcher is left alone, whatever is in it', () => {
    const container = kit.container();
    const identity = { pid: process.pid, bootId: 'x' };
    for (const state of [
      {},
      { supervisor: null, process: null },
      { supervisor: identity },
      { supervisor: [], process: 'x' },
      { supervisor: { pid: '1' }, process: identity },
    ])
      expect(adoptContainer(container, state, kit.reaper, kit.cgroups)).toBeUndefined();
  });

  kernelTest('survives JSON', async () => {
    const { state } = (await kit.start('true')).process;
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

describe('N12: what only has the number of a container', () => {
  const other = (identity: ProcessIdentity, pid: number): ProcessIdentity => ({ ...identity, pid });

  kernelTest('is not touched, whatever the agent is asked to do', async () => {
    const bystander = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const { container, state } = await leftBehind(kit.plan('echo ready; exit 3'));
    const pid = bystander.pid as number;
    const reused = { ...state, supervisor: other(state.supervisor, pid), process: other(state.process, pid) };
    const { process: adopted } = kit.adopt({ container, state: reused });
    expect(adopted.signal(SIGTERM)).toBe(false);
    await adopted.destroy();
    expect(readStat(pid)?.state).not.toBe('Z');
    bystander.kill();
    await once(bystander, 'exit');
  });

  kernelTest('is not taken up after a reboot', async () => {
    const { container, state } = await leftBehind(kit.plan('echo ready; sleep 1000'));
    const bootId = '00000000-0000-0000-0000-000000000000';
    const before = {
      ...state,
      process: { ...state.process, bootId },
      supervisor: { ...state.supervisor, bootId },
    };
    const { process: stale } = kit.adopt({ container, state: before });
    await stale.destroy();
    expect(await stale.exited).toBeUndefined();
    await kit.adopt({ container, state }).process.destroy();
  });

  kernelTest(
    'is not reaped: another child of the agent keeps its status for whoever waits for it',
    async () => {
      const { container, state } = await leftBehind(kit.plan('echo ready; exit 3'));
      const child = posixSpawn({ path: '/bin/false', argv: ['false'], fileActions: [] });
      waitid(P_PID, child, WAIT.WEXITED | WAIT.WNOWAIT);
      const { process: adopted } = kit.adopt({
        container,
        state: { ...state, supervisor: other(state.supervisor, child) },
      });
      await adopted.exited;
      expect(waitid(P_PID, child, WAIT.WEXITED)).toMatchObject({ status: 1 });
    },
  );
});
