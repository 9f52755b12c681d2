import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpuAffinity, setCpuAffinity } from '@caisson/linux/syscalls';
import { needs } from '@caisson/linux/testing';
import { describe, expect, test } from '@jest/globals';
import { forkContainer } from './fork.js';
import { SharedProcessor } from './shared-processor.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';

const kit = useLaunchKit({ reapOrphans: true });
const allowed = (status: string) => /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1];
const own = () => allowed(readFileSync('/proc/thread-self/status', 'utf8'));
const several = needs(test, {
  host: () => (SharedProcessor.here() ? undefined : 'there is one processor only'),
});

describe('a launch on one processor with the agent', () => {
  several('lasts as long as what it was asked for, also where that throws', () => {
    const before = own();
    const processor = SharedProcessor.here();
    expect(processor?.run(own)).toMatch(/^\d+$/);
    expect(() =>
      processor?.run(() => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(own()).toBe(before);
  });

  kernelTest('leaves the command and its supervisor all of them', async () => {
    const processor = SharedProcessor.here();
    const container = kit.container();
    const plan = kit.plan('cat /proc/self/status; sleep 1000');
    const launched = kit.track(
      await forkContainer(container, plan, { ...kit.context(), processor }),
      container,
    );
    const gated = allowed(readFileSync(`/proc/${launched.process.pid}/status`, 'utf8'));
    await launched.release();
    expect(allowed(await launched.output(/Cpus_allowed_list/))).toBe(own());
    const supervisor = launched.process.state.supervisor.pid;
    expect(allowed(readFileSync(`/proc/${supervisor}/status`, 'utf8'))).toBe(own());
    // Isolators see it as it is to be.
    expect(gated).toBe(own());
  });

  const chosenByIsolator = needs(test, {
    root: true,
    busybox: true,
    programs: ['taskset'],
    host: () => (SharedProcessor.here() ? undefined : 'there is one processor only'),
  });
  const CHOICES = [true, false].flatMap((alone) => ['0', '1'].map((chosen) => [alone, chosen] as const));
  chosenByIsolator.each(CHOICES)(
    'keeps the processor that an isolator chooses for it (alone: %j, processor %s)',
    async (alone, chosen) => {
      const processor = alone ? SharedProcessor.here() : undefined;
      const parent = await kit.start('sleep 1000');
      const nested = { create: ['mount', 'pid'], enter: [{ kind: 'pid', pid: parent.process.pid }] } as const;
      for (const namespaces of [undefined, { create: [...nested.create], enter: [...nested.enter] }]) {
        const container = kit.container();
        const plan = kit.plan('cat /proc/self/status', namespaces && { namespaces });
        const context = { ...kit.context(), processor };
        const launched = kit.track(await forkContainer(container, plan, context), container);
        execFileSync('taskset', ['-pc', chosen, String(launched.process.pid)]);
        await launched.release();
        expect(allowed((await launched.end()).stdout)).toBe(chosen);
      }
    },
  );

  several('is left out where the agent has only one', () => {
    const all = cpuAffinity();
    const one = Buffer.alloc(all.length);
    one[0] = 1;
    setCpuAffinity(one);
    try {
      expect(SharedProcessor.here()).toBeUndefined();
    } finally {
      setCpuAffinity(all);
    }
  });
});
