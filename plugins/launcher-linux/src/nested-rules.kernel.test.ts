/**
 * What a hostile parent can do to a launch into its pid namespace, each with the guard off first: N5 nothing of the host is in
 * sight, N12 a number is no process. The parent is root in its own root filesystem, with all capabilities where that matters.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identify } from '@caisson/linux/process';
import type { LaunchPlanData, ProcessIdentity } from '@caisson/plugin-sdk';
import { describe, expect } from '@jest/globals';
import { refuseTracer, refuseUnknown } from './entered.js';
import { Entrances } from './entrances.js';
import { forkContainer } from './fork.js';
import type { LinuxProcess } from './linux-process.js';
import type { LaunchStep } from './step.js';
import { JOINING_STEPS } from './steps/joining.js';
import { leaveOutSteps, pause, stepsWith } from './testing/guard-off.js';
import { kernelTest, type Launched, useLaunchKit } from './testing/launch-kit.js';
import { hostPlan, type PlanEdit } from './testing/standard-plan.js';

const kit = useLaunchKit({ reapOrphans: true });
const SIGKILL = 9;

const KINDS = [
  ['a pid namespace within', ['mount', 'pid']],
  ['the pid namespace of its parent', ['mount']],
] as const;

/** A plan into the pid namespace of a process. */
const plan = (pid: number, create: (typeof KINDS)[number][1], script = 'true', edit: PlanEdit = {}) =>
  kit.plan(script, { namespaces: { create: [...create], enter: [{ kind: 'pid', pid }] }, ...edit });

/** Every step with a pause behind it, once it can be seen from inside: an attacker has all the time that he could wish for. */
const slowly = (steps: readonly LaunchStep[]): LaunchStep[] =>
  steps
    .filter(({ name }) => name.endsWith('-inside') || ['enter-pid-namespace', 'hold-root'].includes(name))
    .reduce((paused, { name }) => stepsWith(name, pause(30), paused), [...steps]);

describe.each(KINDS)('N5: a hostile parent of a container in %s', (_, create) => {
  /** Looks at each process that it did not know: for the host, for descriptors, for what it may write to. */
  const attack = (canary: string) => `
    known=" $(echo /proc/[0-9]*) "
    echo up
    while :; do for p in /proc/[0-9]*; do
      case "$known" in *" $p "*) continue;; esac
      for way in $p/root $p/cwd $p/cwd/../../../../../../.. $p/fd/*/../../../../../../..; do
        [ -e "$way${canary}" ] && echo "ESCAPE $way"
      done
      for fd in $p/fd/*; do [ -L $fd ] && echo "FD \${fd##*/} $(readlink $fd)"; done
      grep -q "${canary}" $p/environ 2>/dev/null && echo ESCAPE environ
      [ "$(readlink $p/exe)" != /bin/busybox ] && echo "EXE $(readlink $p/exe)"
      { dd if=/dev/zero of=$p/exe bs=1 count=1 conv=notrunc && echo WROTE exe; } 2>/dev/null
    done; done`;

  async function seen(steps: readonly LaunchStep[], edit: PlanEdit = {}): Promise<string> {
    const canary = join(kit.directory, 'canary');
    writeFileSync(canary, 'of the host');
    try {
      const parent = await kit.start(attack(canary), { privileged: true });
      await parent.output(/up/);
      for (let count = 0; count < 2; count++) {
        const nested = await kit.fork(plan(parent.process.pid, create, 'true', edit), slowly(steps));
        await nested.release().catch(() => undefined);
        await nested.process.exited;
      }
      return parent.stdout();
    } finally {
      rmSync(canary);
    }
  }

  /** It enters as soon as the gate is open, and makes everything in sight of the parent. */
  const early = (): LaunchStep[] => {
    const step = (name: string) => JOINING_STEPS.find((each) => each.name === name) as LaunchStep;
    const first = ['wait-at-gate', 'enter-pid-namespace'].map(step);
    const [gate, enter] = first as [LaunchStep, LaunchStep];
    const joinPid: LaunchStep = {
      name: 'join-pid-namespace',
      compile: (_plan, table) => void table.call('setns', [table.descriptor('namespace pid'), 0x20000000]),
    };
    const entering = [gate, joinPid, enter, pause(50)];
    return JOINING_STEPS.filter(
      ({ name }) => name !== 'join-namespaces' && !first.includes(step(name)),
    ).flatMap((each) => (each.name === 'detach-mounts' ? [each, ...entering] : [each]));
  };

  kernelTest('one that enters before it is ready shows him the host', async () => {
    expect(await seen(early())).toMatch(/ESCAPE/);
  });

  kernelTest('descriptors of the mounts lead him to the host', async () => {
    expect(await seen(leaveOutSteps(JOINING_STEPS, ['close-descriptors']))).toMatch(/ESCAPE \/proc\/\d+\/fd/);
  });

  kernelTest('nothing of the host or the agent is in sight, at no step', async () => {
    const text = await seen(JOINING_STEPS);
    // He has looked, and has seen the image: it is sealed, and knows this launch alone (N8).
    expect(text).toMatch(/EXE \/memfd:caisson/);
    expect(text).not.toMatch(/ESCAPE|WROTE/);
    const descriptors = [...text.matchAll(/^FD (\d+) (.+)$/gm)].map(([, fd, to]) => `${fd} ${to}`);
    const allowed =
      /^(0 .*null|[12] .*\/std(out|err)|4 pipe:\[\d+\]|\d+ \/|\d+ (anon_inode:)?\[?(fscontext|pidfd)\]?|\d+ \/(dev\/null|proc.*))$/;
    expect(descriptors.filter((each) => !allowed.test(each))).toEqual([]);
  });
});

describe.each(KINDS)('N5: what makes %s ready is mightier than its parent', (_, create) => {
  /** Whether any process of the launch could be written to by the parent: whoever can, runs his own code in it. */
  const attack = `
    known=" $(echo /proc/[0-9]*) "
    echo up
    while :; do for p in /proc/[0-9]*; do
      case "$known" in *" $p "*) continue;; esac
      grep -q '^CapEff:.*00000000002.....$' $p/status 2>/dev/null || continue
      { dd if=/dev/null of=$p/mem bs=1 count=0 conv=notrunc && echo TAKEN; } 2>/dev/null
    done; done`;

  describe('or than another container that sees it', () => {
    const running = new Map<string, LinuxProcess>();
    const capabilities = { bounding: ['CHOWN', 'SYS_PTRACE'] };

    async function start(id: string, planned: LaunchPlanData, steps?: readonly LaunchStep[]) {
      const container = kit.container({ id, parentId: 'web' });
      const context = { ...kit.context(steps), entrances: new Entrances(running) };
      const forked = kit.track(await forkContainer(container, planned, context), container);
      running.set(id, forked.process);
      return forked;
    }
    async function parentAlone(): Promise<Launched> {
      running.clear();
      const parent = await kit.start('sleep 1000', { capabilities: { bounding: ['CHOWN'] } });
      running.set('web', parent.process);
      return parent;
    }
    /** It looks into its parent, as a container of class DEBUG. */
    const looking = ({ process: { pid } }: Launched) =>
      hostPlan(attack, {
        namespaces: {
          create: [],
          enter: [
            { kind: 'pid', pid },
            { kind: 'mount', pid },
          ],
        },
        environment: { PATH: '/bin' },
        capabilities,
      });
    const nested = (parent: Launched) =>
      plan(parent.process.pid, create, 'true', { capabilities: { bounding: ['CHOWN'] } });

    kernelTest('which takes it over, so it is refused', async () => {
      const parent = await parentAlone();
      const tracer = await start('web.tracer', looking(parent));
      await tracer.release();
      await tracer.output(/up/);
      const unguarded = await kit.fork(nested(parent), slowly(JOINING_STEPS));
      await unguarded.release().catch(() => undefined);
      await unguarded.process.exited;
      expect(tracer.stdout()).toMatch(/TAKEN/);
      const guarded = await start('web.job', nested(parent), slowly(JOINING_STEPS));
      await expect(guarded.release()).rejects.toMatchObject({ code: 'SIBLING_TRACES', kind: 'denied' });
      await tracer.process.destroy();
      running.delete('web.tracer');
      await (await start('web.again', nested(parent))).release();
    });

    kernelTest('which waits until nobody is inside', async () => {
      const parent = await parentAlone();
      const entrances = new Entrances(running);
      const left = await entrances.enter(kit.container({ id: 'web.job', parentId: 'web' }), nested(parent));
      let entered = false;
      const tracers = [looking(parent), plan(parent.process.pid, ['mount'], 'true', { capabilities })];
      const tracing = Promise.all(
        tracers.map(async (tracer) => {
          await entrances.enter(kit.container({ id: 'web.tracer', parentId: 'web' }), tracer);
          entered = true;
        }),
      );
      await new Promise(setImmediate);
      expect(entered).toBe(false);
      left();
      await tracing;
    });

    kernelTest('not than one that sees its own pid namespace alone', async () => {
      const parent = await parentAlone();
      const edit = { capabilities };
      const apart = await start(
        'web.apart',
        plan(parent.process.pid, ['mount', 'pid'], 'echo up; sleep 1000', edit),
      );
      await apart.release();
      await apart.output(/up/);
      const job = await start('web.job', nested(parent));
      await job.release();
      expect(await job.end()).toMatchObject({ exitCode: 0 });
    });
  });

  async function taken(capabilities: string[], steps: readonly LaunchStep[]): Promise<boolean> {
    const bounding = ['CHOWN', ...capabilities];
    const parent = await kit.start(attack, { capabilities: { bounding } });
    await parent.output(/up/);
    // Nothing that the parent does not have, so that only what the launch itself needs is more.
    const edit = { capabilities: { bounding: ['CHOWN'] } };
    const nested = await kit.fork(plan(parent.process.pid, create, 'true', edit), slowly(steps));
    await nested.release().catch(() => undefined);
    await nested.process.exited;
    return /TAKEN/.test(parent.stdout());
  }

  kernelTest('a parent that may trace takes it over, so it is refused', async () => {
    expect(await taken(['SYS_PTRACE'], JOINING_STEPS)).toBe(true);
    const parent = await kit.start('sleep 1000', { capabilities: { bounding: ['SYS_PTRACE'] } });
    expect(() => refuseTracer('web.job', plan(parent.process.pid, create))).toThrow(
      expect.objectContaining({ code: 'PARENT_TRACES', kind: 'denied' }),
    );
  });

  kernelTest('any other cannot', async () => {
    expect(await taken([], JOINING_STEPS)).toBe(false);
    for (const edit of [
      {},
      { privileged: true },
      { capabilities: { bounding: ['SYS_ADMIN', 'SYS_PTRACE'] } },
    ]) {
      const parent = await kit.start('sleep 1000', edit);
      expect(() => refuseTracer('web.job', plan(parent.process.pid, create))).not.toThrow();
    }
  });
});

describe('N12: the number of a parent is no process', () => {
  /** A process of the host that has the number of a container which has ended. */
  async function withNumberOf(parent: Launched, body: () => Promise<void>): Promise<void> {
    const { pid } = parent.process;
    let heir: ChildProcess | undefined;
    for (let tries = 0; heir?.pid !== pid; tries++) {
      if (tries > 200) throw new Error(`nobody got the number ${pid}`);
      heir?.kill('SIGKILL');
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
      heir = spawn('sleep', ['1000'], { stdio: 'ignore' });
    }
    try {
      await body();
    } finally {
      heir.kill('SIGKILL');
      await once(heir, 'exit');
    }
  }

  const nestedIn = (parent: Launched) => kit.container({ parentId: 'web', parentPid: parent.process.pid });
  const inspect = (pid: number) => plan(pid, ['mount'], 'set /proc/[0-9]*; echo $#');

  kernelTest('it may be of a process of the host by the time that it is entered', async () => {
    const parent = await kit.start('sleep 1000');
    const wanted = inspect(parent.process.pid);
    process.kill(parent.process.pid, SIGKILL);
    await parent.process.exited;
    await withNumberOf(parent, async () => {
      const unguarded = await kit.fork(wanted);
      expect(readlinkSync(`/proc/${unguarded.process.pid}/ns/pid_for_children`)).toBe(
        readlinkSync('/proc/self/ns/pid'),
      );
      const context = { ...kit.context(), parent: () => parent.process };
      await expect(forkContainer(nestedIn(parent), wanted, context)).rejects.toMatchObject({
        code: 'PARENT_ENDED',
      });
    });
  });

  describe('of another process than the parent', () => {
    /** Of a container that is nested in nothing, as a third-party isolator may plan it. */
    const joining = (pid: number, identity?: ProcessIdentity) =>
      kit.plan('readlink /proc/self/ns/uts', {
        namespaces: {
          create: ['mount', 'pid'],
          enter: [{ kind: 'uts', pid, ...(identity && { identity }) }],
        },
      });
    const launch = async (planned: LaunchPlanData) => {
      const container = kit.container();
      const forked = await forkContainer(container, planned, { ...kit.context(), parent: () => undefined });
      const launched = kit.track(forked, container);
      await launched.release();
      return launched.end();
    };
    const other = () =>
      kit.start('sleep 1000', { namespaces: { create: ['mount', 'pid', 'uts'], enter: [] } });

    kernelTest('its identity is: it is entered as long as it lives', async () => {
      const { pid } = (await other()).process;
      const namespace = readlinkSync(`/proc/${pid}/ns/uts`);
      expect(namespace).not.toBe(readlinkSync('/proc/self/ns/uts'));
      expect(await launch(joining(pid, identify(pid)))).toMatchObject({ stdout: `${namespace}\n` });
    });

    kernelTest('and nobody who has its number later', async () => {
      const meant = await other();
      const { pid } = meant.process;
      const identity = identify(pid);
      await meant.process.destroy();
      await expect(launch(joining(pid, identity))).rejects.toMatchObject({ code: 'PARENT_ENDED' });
      await withNumberOf(meant, async () => {
        // Guard off: whoever has the number, a process of the host.
        const unguarded = await kit.run(joining(pid));
        expect(unguarded.stdout).toBe(`${readlinkSync('/proc/self/ns/uts')}\n`);
        await expect(launch(joining(pid, identity))).rejects.toMatchObject({ code: 'PARENT_ENDED' });
      });
    });

    kernelTest('a bare number is refused, before anything is started', async () => {
      const { pid } = (await other()).process;
      expect(() => refuseUnknown(kit.container(), joining(pid))).toThrow(
        expect.objectContaining({ code: 'NAMESPACE_OF_UNKNOWN', kind: 'invalid' }),
      );
      expect(() => refuseUnknown(kit.container(), joining(pid, identify(pid)))).not.toThrow();
      expect(() =>
        refuseUnknown(kit.container({ parentId: 'web', parentPid: pid }), joining(pid)),
      ).not.toThrow();
    });
  });

  kernelTest('a parent that has ended is said to have, at once', async () => {
    const parent = await kit.start('sleep 1000');
    const container = nestedIn(parent);
    const wanted = inspect(parent.process.pid);
    const context = { ...kit.context(), parent: () => parent.process };
    const running = kit.track(await forkContainer(container, wanted, context), container);
    await running.release();
    expect(await running.end()).toMatchObject({ stdout: '2\n' });
    await parent.process.destroy();
    const again: LaunchPlanData = inspect(parent.process.pid);
    await expect(forkContainer(nestedIn(parent), again, context)).rejects.toMatchObject({
      code: 'PARENT_ENDED',
    });
  });
});
