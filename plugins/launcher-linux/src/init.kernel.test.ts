import { readdirSync, readFileSync } from 'node:fs';
import { readStat } from '@caisson/linux/proc';
import { describe, expect } from '@jest/globals';
import { pause, stepsWith } from './testing/guard-off.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';
import { hostPlan } from './testing/standard-plan.js';

const kit = useLaunchKit({ reapOrphans: true });
const [SIGTERM, SIGKILL] = [15, 9];
const init = true;

describe.each([
  ['in a pid namespace of its own', true],
  ['in the pid namespace of the agent', false],
])('an init %s', (_, own) => {
  const plan = (script: string) =>
    own ? kit.plan(script, { init }) : hostPlan(script, { init, environment: { PATH: '/bin:/usr/bin' } });
  const launch = async (script: string) => {
    const launched = await kit.fork(plan(script));
    await launched.release();
    return launched;
  };

  kernelTest('leaves with the exit code of its command', async () => {
    expect(await kit.run(plan('exit 0'))).toMatchObject({ exitCode: 0 });
    expect(await kit.run(plan('exit 77'))).toMatchObject({ exitCode: 77 });
  });

  kernelTest('leaves as a shell does where a signal ended the command', async () => {
    expect(await kit.run(plan('kill -9 $$'))).toMatchObject({ exitCode: 128 + SIGKILL });
    expect(await kit.run(plan('kill -15 $$'))).toMatchObject({ exitCode: 128 + SIGTERM });
  });

  kernelTest('hands signals to the command, which ends by default', async () => {
    const launched = await launch('echo ready; exec sleep 1000');
    await launched.output(/ready/);
    expect(launched.process.signal(SIGTERM)).toBe(true);
    expect(await launched.end()).toMatchObject({ exitCode: 128 + SIGTERM });
    expect(launched.process.signal(SIGTERM)).toBe(false);
  });

  kernelTest('reaps the orphans that come to it, and waits for the command alone', async () => {
    // Each sh leaves a child behind, which ends as an orphan; the last one goes on.
    const orphans = 'i=0; while [ $i -lt 20 ]; do sh -c "(exec sleep 0.01) &"; i=$((i+1)); done';
    const launched = await launch(`${orphans}; sleep 0.1; echo ready; sleep 1000 & exec sleep 1001`);
    await launched.output(/ready/);
    const { pid } = launched.process;
    const children = () =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
    while (children().length !== 1) await new Promise(setImmediate);
    expect(readStat(children()[0] as number)?.state).not.toBe('Z');
    launched.process.signal(SIGKILL);
    expect(await launched.end()).toMatchObject({ exitCode: 128 + SIGKILL });
  });

  kernelTest('holds nothing open, and ends with its container', async () => {
    const launched = await launch('echo ready; exec sleep 1000');
    await launched.output(/ready/);
    expect(readdirSync(`/proc/${launched.process.pid}/fd`)).toEqual([]);
    await launched.process.destroy();
    expect(await launched.end()).toMatchObject({ signal: 'SIGKILL' });
  });

  kernelTest.each([SIGKILL, SIGTERM])(
    'whose command is killed by %i before it is executed has launched nothing (N11)',
    async (signal) => {
      const launched = await kit.fork(plan('echo executed'), stepsWith('start-init', pause(200)));
      const { pid } = launched.process;
      const released = launched.release();
      const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      while (children() === '') await new Promise(setImmediate);
      process.kill(Number(children()), signal);
      await expect(released).rejects.toMatchObject({ code: 'ENDED_BEFORE_EXEC' });
      expect(await launched.end()).toMatchObject({ signal: 'SIGKILL', stdout: '' });
    },
  );

  kernelTest('whose command ends at once has launched it', async () => {
    for (let count = 0; count < 20; count++) {
      expect(await kit.run(plan('exit 137'))).toMatchObject({ exitCode: 137 });
      const missing = await kit.fork(
        own ? kit.plan(['/no/such'], { init }) : hostPlan(['/no/such'], { init }),
      );
      await expect(missing.release()).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
    }
  });

  kernelTest('is killed at the gate: that is no launch (N11)', async () => {
    const launched = await kit.fork(plan('true'));
    process.kill(launched.process.pid, 'SIGKILL');
    await expect(launched.release()).rejects.toMatchObject({ code: 'ENDED_BEFORE_EXEC' });
  });
});

kernelTest('is pid 1, the command is another, and a terminal hands ^C to the command', async () => {
  expect((await kit.run('echo $$', { init })).stdout).toBe('2\n');
});
