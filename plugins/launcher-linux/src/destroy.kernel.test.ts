import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readStat } from '@caisson/linux/proc';
import { SLOWNESS } from '@caisson/linux/testing';
import { describe, expect } from '@jest/globals';
import { pause, stepsWith } from './testing/guard-off.js';
import { kernelTest, type Launched, useLaunchKit } from './testing/launch-kit.js';
import { hostPlan, type PlanEdit } from './testing/standard-plan.js';

const kit = useLaunchKit({ reapOrphans: true });
const SIGKILL = 9;
const environment = { PATH: '/bin:/usr/bin' };

describe.each([
  ['in a pid namespace of its own', (script: string, edit: PlanEdit = {}) => kit.plan(script, edit)],
  [
    'in that of the agent',
    (script: string, edit: PlanEdit = {}) => hostPlan(script, { environment, ...edit }),
  ],
])('destroy %s', (_, plan) => {
  const start = async (script: string, edit?: PlanEdit): Promise<Launched> => {
    const launched = await kit.fork(plan(script, edit));
    await launched.release();
    return launched;
  };

  kernelTest('at the gate: the command is never executed', async () => {
    const launched = await kit.fork(plan('echo executed'));
    await launched.process.destroy();
    expect(await launched.process.exited).toBe(SIGKILL);
    expect(launched.stdout()).toBe('');
    await expect(launched.release()).rejects.toMatchObject({ code: 'SUPERVISOR_ENDED' });
  });

  kernelTest('running, whatever it ignores and wherever its children have gone', async () => {
    const launched = await start(
      'trap "" TERM HUP INT; for i in 1 2 3 4 5; do setsid sh -c "trap \\"\\" TERM; sleep 1000; :" & done; sleep 0.05; echo ready; sleep 1000; :',
    );
    await launched.output(/ready/);
    await launched.process.destroy();
    expect(await launched.process.exited).toBe(SIGKILL);
  });

  kernelTest('twice, at once, after the end, and after close', async () => {
    const launched = await start('sleep 1000');
    const { process: launchedProcess } = launched;
    await Promise.all([launchedProcess.destroy(), launchedProcess.destroy(), launchedProcess.destroy()]);
    await launchedProcess.destroy();
    expect(await launchedProcess.exited).toBe(SIGKILL);
    launchedProcess.close();
    launchedProcess.close();
    await launchedProcess.destroy();
    expect(launchedProcess.signal(SIGKILL)).toBe(false);
  });

  kernelTest('of one that has ended keeps its status', async () => {
    const launched = await start('exit 11');
    await launched.process.exited;
    await launched.process.destroy();
    expect(await launched.process.exited).toBe(11 << 8);
  });

  kernelTest('while it is launched: release says that nothing was executed (N11)', async () => {
    const launched = await kit.fork(plan('echo executed; sleep 1000'), stepsWith('become-user', pause(2000)));
    const released = launched.release().then(
      () => 'executed',
      (error: { code: string }) => error.code,
    );
    await sleep(20);
    await launched.process.destroy();
    expect(await released).toBe('ENDED_BEFORE_EXEC');
    expect(launched.stdout()).toBe('');
  });

  kernelTest('with a supervisor that was stopped: it is told to go on', async () => {
    const launched = await start('sleep 1000');
    process.kill(launched.process.state.supervisor.pid, 'SIGSTOP');
    await launched.process.destroy();
    expect(await launched.process.exited).toBe(SIGKILL);
  });

  kernelTest('with a container that was stopped', async () => {
    const launched = await start('sleep 1000');
    launched.process.signal(19);
    while (readStat(launched.process.pid)?.state !== 'T') await new Promise(setImmediate);
    await launched.process.destroy();
    expect(await launched.process.exited).toBe(SIGKILL);
  });

  kernelTest('of a fork bomb', async () => {
    const launched = await start(
      'echo ready; b() { b & b & b; }; ulimit -u 2>/dev/null; i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; echo all; wait',
    );
    await launched.output(/all/);
    const before = performance.now();
    await launched.process.destroy();
    expect(performance.now() - before).toBeLessThan(5000 * SLOWNESS);
  });
});

/** It reads the gate: by then it has asked for the signal that tells of its parent's death. */
async function atGate(pid: number): Promise<void> {
  while (readFileSync(`/proc/${pid}/syscall`, 'latin1').split(' ')[1] !== '0x3') await sleep(1);
}

describe('a supervisor that is killed', () => {
  kernelTest('takes its container along at once (A6), and the agent knows how that ended', async () => {
    for (const plan of [kit.plan('sleep 1000'), hostPlan('sleep 1000', { environment })]) {
      const launched = await kit.fork(plan);
      await launched.release();
      process.kill(launched.process.state.supervisor.pid, 'SIGKILL');
      expect(await launched.process.exited).toBe(SIGKILL);
    }
  });

  kernelTest('at the gate: no launch', async () => {
    const launched = await kit.fork(kit.plan('echo executed'));
    const { pid } = launched.process.state.supervisor;
    await atGate(launched.process.pid);
    process.kill(pid, 'SIGKILL');
    while (!['Z', undefined].includes(readStat(pid)?.state)) await sleep(1);
    await expect(launched.release()).rejects.toMatchObject({ code: 'ENDED_BEFORE_EXEC' });
    expect(await launched.process.exited).toBe(SIGKILL);
  });

  kernelTest('after a change of credentials too, which clears the parent-death signal', async () => {
    const user = { uid: 1000, gid: 1000, supplementaryGids: [] };
    const launched = await kit.start('sleep 1000', { user });
    process.kill(launched.process.state.supervisor.pid, 'SIGKILL');
    expect(await launched.process.exited).toBe(SIGKILL);
  });
});

describe('one agent', () => {
  const rss = (): number =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;

  kernelTest(
    'launches 200 containers one after another without growing; the census counts its descriptors',
    async () => {
      const launch = async () => {
        expect(await kit.run(['true'])).toMatchObject({ exitCode: 0 });
        await kit.endAll();
      };
      for (let i = 0; i < 30; i++) await launch();
      const before = rss();
      for (let i = 0; i < 170; i++) await launch();
      expect(rss() - before).toBeLessThan(40 * 1024 * 1024);
    },
  );

  kernelTest('launches 40 at once, and ends them at once', async () => {
    const many = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const launched = await kit.start(`echo ready ${i}; sleep 1000`);
        await launched.output(new RegExp(`ready ${i}\n`));
        return launched;
      }),
    );
    await Promise.all(many.map(({ process: each }) => each.destroy()));
    expect(new Set(await Promise.all(many.map(({ process: each }) => each.exited)))).toEqual(
      new Set([SIGKILL]),
    );
  });
});
