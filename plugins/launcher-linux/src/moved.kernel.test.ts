import { existsSync } from 'node:fs';
import { type Cgroup, ContainerCgroups, type Hierarchy, markCgroup, removeAll } from '@caisson/linux/cgroups';
import { readStat } from '@caisson/linux/proc';
import { needs } from '@caisson/linux/testing';
import type { Container } from '@caisson/plugin-sdk';
import { afterEach, describe, expect, test } from '@jest/globals';
import { startAgent } from './testing/agent.js';
import { kernelTest, type Launched, useLaunchKit } from './testing/launch-kit.js';
import { hostPlan } from './testing/standard-plan.js';

/** Isolators whose controllers are in the hierarchy that containers are tracked in: all of them, in version 2. */
const ROOT = 'caisson-moved';
const LEAVES_A_DAEMON = 'setsid sleep 1000 & echo "daemon $!"; exit 7';

const kit = useLaunchKit({ reapOrphans: true, cgroups: /caisson-/ });
const plan = (script: string) => hostPlan(script, { environment: { PATH: '/bin:/usr/bin' } });
const group = (path: string): Cgroup => (kit.cgroups.tracking() as Hierarchy).cgroup(path);

/** As `ContainerCgroups` makes it for a container. */
const ownGroup = (container: Container): Cgroup => groupOf(container, container.runtimeDirectory);

function groupOf({ id }: Container, owner: string): Cgroup {
  const leaf = group(`${ROOT}/${id}/leaf`);
  leaf.create();
  markCgroup(group(`${ROOT}/${id}`), owner);
  return leaf;
}

/** Of whatever isolator: they all enter cgroups in the same way. */
const controllerOfVersionTwo = (): string | undefined =>
  process.getuid?.() === 0 ? kit.cgroups.unified()?.controllers[0] : undefined;
const versionTwoTest = needs(test, {
  root: true,
  host: () => (controllerOfVersionTwo() ? undefined : 'cgroup version 2 has no controller here'),
});

async function daemonOf(launched: Launched): Promise<number> {
  const pid = Number(/daemon (\d+)/.exec(await launched.output(/daemon \d+\n/))?.[1]);
  return pid;
}

const lives = (pid: number): boolean => existsSync(`/proc/${pid}`) && readStat(pid)?.state !== 'Z';

/** Gated, moved as an isolator does, and executed. */
async function moved(script: string, into: (container: Container, pid: number) => Cgroup): Promise<Launched> {
  const container = kit.container();
  const launched = await kit.fork(plan(script), undefined, container);
  into(container, launched.process.pid).add(launched.process.pid);
  await launched.release();
  return launched;
}

describe('a container without a pid namespace that an isolator has moved', () => {
  afterEach(async () => {
    await kit.endAll();
    if (kit.directory) await removeAll(group(ROOT));
  });

  describe('in a cgroup of its own', () => {
    kernelTest('what it leaves behind ends with it', async () => {
      const launched = await moved(LEAVES_A_DAEMON, ownGroup);
      const daemon = await daemonOf(launched);
      expect(await launched.process.exited).toBe(7 << 8);
      expect(lives(daemon)).toBe(false);
    });

    versionTwoTest('which the isolators of Caisson make', async () => {
      const controller = controllerOfVersionTwo() as string;
      const before = group('').read('cgroup.subtree_control').split(' ');
      const settings = { controllers: [controller], root: ROOT, hierarchy: '/sys/fs/cgroup' } as const;
      const more = { delegate: true, destroyTimeout: 5000 };
      const groups = new ContainerCgroups(kit.cgroups, new Map<string, unknown>(), { ...settings, ...more });
      const container = kit.container();
      groups.create(container);
      const launched = await kit.fork(plan(LEAVES_A_DAEMON), undefined, container);
      await groups.enter(container, launched.process.pid);
      await launched.release();
      const daemon = await daemonOf(launched);
      await launched.process.exited;
      expect(lives(daemon)).toBe(false);
      await groups.remove(container);
      if (!before.includes(controller)) group('').write('cgroup.subtree_control', `-${controller}`);
    });

    kernelTest('destroy ends all of it, and nobody beside it', async () => {
      const launched = await moved(`(${LEAVES_A_DAEMON}); sleep 1000`, ownGroup);
      const neighbour = await moved('sleep 1000', ownGroup);
      const daemon = await daemonOf(launched);
      await launched.process.destroy();
      expect(lives(daemon)).toBe(false);
      expect(lives(neighbour.process.pid)).toBe(true);
    });

    kernelTest(
      'the next agent knows where that is, also if the first process has ended meanwhile',
      async () => {
        for (const script of [LEAVES_A_DAEMON, `(${LEAVES_A_DAEMON}); sleep 1000`]) {
          const container = kit.container();
          const cgroup = ownGroup(container);
          const job = { containers: [container], plan: plan(script), until: 'running', cgroup: cgroup.path };
          const agent = await startAgent(job as never);
          await agent.kill();
          const [left] = agent.launched;
          const launched = kit.adopt(left as never);
          const daemon = await daemonOf(launched);
          await launched.process.destroy();
          expect(lives(daemon)).toBe(false);
        }
      },
    );

    kernelTest('below the one that it was born in: that is its own by itself', async () => {
      const launched = await moved(LEAVES_A_DAEMON, (_, pid) => {
        const below = ((kit.cgroups.tracking() as Hierarchy).cgroupOf(pid) as Cgroup).child('acme');
        below.create();
        return below;
      });
      const daemon = await daemonOf(launched);
      await launched.process.exited;
      expect(lives(daemon)).toBe(false);
    });
  });

  describe('in a cgroup that nobody says is its own', () => {
    const shared = (): Cgroup => {
      const cgroup = group(`${ROOT}/shared`);
      cgroup.create();
      return cgroup;
    };

    kernelTest.each<[string, (container: Container) => Cgroup]>([
      ['without a mark', shared],
      ["with another container's", (container) => groupOf(container, '/run/caisson/another')],
    ])('%s: nothing is executed there, for nobody could end it', async (_, into) => {
      const container = kit.container();
      const launched = await kit.fork(plan('echo executed'), undefined, container);
      const cgroup = into(container);
      cgroup.add(launched.process.pid);
      await expect(launched.release()).rejects.toMatchObject({
        code: 'TRACKING_LEFT',
        message: expect.stringContaining(String(cgroup)),
      });
      await launched.process.destroy();
      expect(launched.stdout()).toBe('');
    });

    kernelTest('is no matter where a pid namespace keeps the container together', async () => {
      const launched = await kit.fork(kit.plan('exit 7'));
      shared().add(launched.process.pid);
      await launched.release();
      expect(await launched.process.exited).toBe(7 << 8);
    });
  });
});
