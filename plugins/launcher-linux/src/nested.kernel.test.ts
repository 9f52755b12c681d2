/** Launches into the pid namespace of another container: one within it, or that very one. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readStat } from '@caisson/linux/proc';
import { describe, expect } from '@jest/globals';
import type { LaunchStep } from './step.js';
import { leaveDoor } from './steps/enter-pid-namespace.js';
import { JOINING_STEPS } from './steps/joining.js';
import { startAgent } from './testing/agent.js';
import { pause } from './testing/guard-off.js';
import { kernelTest, type Launched, readIfPresent, useLaunchKit } from './testing/launch-kit.js';
import type { PlanEdit } from './testing/standard-plan.js';
import { useTerminalSessions } from './testing/terminal-session.js';

const sessionOf = useTerminalSessions();
const kit = useLaunchKit({ reapOrphans: true });
const [SIGKILL, SIGTERM] = [9, 15];
const user = { uid: 1000, gid: 1000, supplementaryGids: [] };

const pidNamespace = (pid: number) => readlinkSync(`/proc/${pid}/ns/pid`);
const fieldOf = (name: string, pid: number) =>
  new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
/** The numbers of a process, from the pid namespace of this one to its own. */
const numbersOf = (pid: number) => fieldOf('NSpid', pid)?.split('\t').map(Number) ?? [];
const parentOf = (edit: PlanEdit = {}) => kit.start('echo up; exec sleep 1000', edit);
const isGone = (pid: number) => ['Z', undefined].includes(readStat(pid)?.state);

const KINDS = [
  ['a pid namespace within', true],
  ['the pid namespace of its parent', false],
] as const;

describe.each(KINDS)('nested, in %s', (_, own) => {
  const plan = (parent: Launched, script: string | readonly string[], edit: PlanEdit = {}) =>
    kit.plan(script, {
      namespaces: {
        create: own ? ['mount', 'pid'] : ['mount'],
        enter: [{ kind: 'pid', pid: parent.process.pid }],
      },
      ...edit,
    });
  const start = async (parent: Launched, script: string | readonly string[], edit?: PlanEdit) => {
    const launched = await kit.fork(plan(parent, script, edit));
    await launched.release();
    return launched;
  };
  const run = async (parent: Launched, script: string, edit?: PlanEdit) =>
    (await start(parent, script, edit)).end();

  kernelTest('it is where it shall be, with a /proc that shows that', async () => {
    const parent = await parentOf();
    const nested = await start(parent, 'echo $$; set /proc/[0-9]*; echo $#; exec sleep 1000');
    expect(await nested.output(/\n\d+\n/)).toBe(own ? '1\n1\n' : '2\n2\n');
    const numbers = numbersOf(nested.process.pid);
    expect(numbers).toHaveLength(numbersOf(parent.process.pid).length + (own ? 1 : 0));
    // Seen from the parent too.
    expect(readlinkSync(`/proc/${nested.process.pid}/exe`)).toMatch(/busybox/);
    expect(pidNamespace(nested.process.pid) === pidNamespace(parent.process.pid)).toBe(!own);
  });

  kernelTest(
    'all that leads to it is gone: its only parent is a supervisor that holds one file',
    async () => {
      const nested = await start(await parentOf(), 'exec sleep 1000');
      const supervisor = nested.process.state.supervisor.pid;
      const children = () => readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').trim();
      while (children() !== String(nested.process.pid)) await sleep(1);
      expect(readdirSync(`/proc/${supervisor}/fd`)).toEqual(['6']);
      expect(readdirSync(`/proc/${nested.process.pid}/fd`)).toEqual(['0', '1', '2']);
    },
  );

  kernelTest('/proc is as protected as that of its parent, and /dev is its own', async () => {
    const script = `wc -c < /proc/cpuinfo; echo x > /proc/sys/kernel/core_pattern || echo refused; ls /dev;
      cut -d ' ' -f 2,3 /proc/self/mounts`;
    const asOnTop = await kit.run(script);
    const { stdout, stderr } = await run(await parentOf(), script);
    expect(stdout.split('\n').sort()).toEqual(asOnTop.stdout.split('\n').sort());
    expect(stdout).toMatch(/^0\nrefused\n/);
    expect(stderr).toMatch(/Read-only file system/);
  });

  kernelTest('its user, groups, capabilities, limits and session are those of the plan', async () => {
    const script = 'id -u; id -g; ulimit -n; ulimit -c; umask; cat /proc/self/status';
    const rlimits = { NOFILE: { soft: 77, hard: 88 } };
    const parent = await parentOf({ privileged: true });
    for (const edit of [{ user, rlimits }, { rlimits }, { privileged: true, rlimits }]) {
      const ids = /^(State|\w*Pid|Tgid|NS\w+|Vm\w+|Rss\w+|\w*ctxt\w*|Mems.*|Cpus.*|SigQ|FDSize):.*\n/gm;
      const [nested, top] = [await run(parent, script, edit), await kit.run(script, edit)];
      expect(nested.stdout.replace(ids, '')).toBe(top.stdout.replace(ids, ''));
    }
  });

  kernelTest('its exit code, or the signal, is known', async () => {
    const parent = await parentOf();
    for (const code of [0, 1, 64, 77, 255])
      expect(await run(parent, `exit ${code}`)).toMatchObject({ exitCode: code });
    for (const signal of [SIGKILL, SIGTERM]) {
      const nested = await start(parent, 'echo ready; exec sleep 1000');
      await nested.output(/ready/);
      const { pid } = nested.process;
      // The first process of a pid namespace ignores what it has no handler for.
      if (own && signal === SIGTERM) continue;
      process.kill(pid, signal);
      expect(await nested.process.exited).toBe(signal);
    }
  });

  kernelTest('what it has a handler for reaches it', async () => {
    const nested = await start(
      await parentOf(),
      'trap "exit 9" TERM; echo ready; while :; do sleep 0.01; done',
    );
    await nested.output(/ready/);
    expect(nested.process.signal(SIGTERM)).toBe(true);
    expect(await nested.end()).toMatchObject({ exitCode: 9 });
    expect(nested.process.signal(SIGTERM)).toBe(false);
  });

  kernelTest('a command that is not there is no launch (N11), and leaves nothing', async () => {
    const parent = await parentOf();
    const gated = await kit.fork(plan(parent, ['/no/such/command']));
    await expect(gated.release()).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
    await gated.process.destroy();
    expect(await run(parent, 'echo and goes on')).toMatchObject({ stdout: 'and goes on\n', exitCode: 0 });
  });

  kernelTest('destroyed at the gate, nothing of it was ever inside', async () => {
    const parent = await parentOf();
    const gated = await kit.fork(plan(parent, 'echo executed'));
    expect(numbersOf(gated.process.pid)).toHaveLength(numbersOf(process.pid).length);
    await gated.process.destroy();
    expect(gated.stdout()).toBe('');
  });

  kernelTest('ending it ends all of its processes, also daemons, and none of its parent', async () => {
    const parent = await kit.start(
      'echo up; trap "" TERM; setsid sleep 1001 & setsid sleep 1002 & echo up; exec sleep 1003',
    );
    await parent.output(/up\nup/);
    const script =
      'trap "" TERM; for i in 1 2 3; do setsid sh -c "trap \\"\\" TERM; sleep 2000; :" & done; echo ready';
    for (const end of ['; sleep 1000; :', '']) {
      const before = processesOf(parent);
      const nested = await start(parent, script + end);
      await nested.output(/ready/);
      // Left alone by a command that ends, or killed with it.
      if (end !== '') await nested.process.destroy();
      expect(await nested.process.exited).toBe(end === '' ? 0 : SIGKILL);
      expect(processesOf(parent)).toEqual(before);
    }
  });

  kernelTest('the end of its parent is its own', async () => {
    const parent = await parentOf();
    const nested = await start(parent, 'trap "" TERM; setsid sleep 1000 & exec sleep 1000');
    process.kill(parent.process.pid, SIGKILL);
    expect(await nested.process.exited).toBe(SIGKILL);
    expect(await parent.process.exited).toBe(SIGKILL);
  });

  kernelTest('its supervisor is killed: it ends, and says nothing that is not so', async () => {
    const nested = await start(await parentOf(), 'exec sleep 1000');
    process.kill(nested.process.state.supervisor.pid, SIGKILL);
    expect(await nested.process.exited).toBe(SIGKILL);
  });

  kernelTest('an init leaves with the status of its command, and hands signals to it', async () => {
    const parent = await parentOf();
    const init = true;
    for (const code of [0, 64, 200])
      expect(await run(parent, `exit ${code}`, { init })).toMatchObject({ exitCode: code });
    const nested = await start(parent, 'echo ready; exec sleep 1000', { init });
    await nested.output(/ready/);
    expect(nested.process.signal(SIGTERM)).toBe(true);
    expect(await nested.end()).toMatchObject({ exitCode: 128 + SIGTERM });
  });

  kernelTest('an init has the orphans of its container, not the init of the parent', async () => {
    const nested = await start(await parentOf(), '(sleep 1000 &); echo ready; exec sleep 1001', {
      init: true,
    });
    await nested.output(/ready/);
    const { pid } = nested.process;
    const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    while (children().length !== 2) await sleep(1);
    const [, orphan] = children().map(Number);
    await nested.process.destroy();
    expect(isGone(orphan as number)).toBe(true);
  });

  kernelTest('a terminal is its own, with job control', async () => {
    const parent = await parentOf();
    const plan_ = { stdio: 'terminal', environment: { PATH: '/bin', PS1: '$ ' } } as const;
    const session = sessionOf(await start(parent, ['sh', '-i'], plan_));
    await session.shows(/\$ /);
    expect(session.text).not.toMatch(/job control turned off|can't access tty/);
    session.type('tty; echo through > /dev/tty\n');
    await session.shows(/\/dev\/pts\/0\r\nthrough/);
    session.type('trap "echo interrupted" INT; echo rea""dy; sleep 1000\n');
    await session.shows(/ready/);
    await sleep(50); // the shell is about to make it the foreground; nothing tells when
    session.type('\x03');
    session.type('exit 6\n');
    expect((await session.launched.end()).exitCode).toBe(6);
  });

  kernelTest('nested in nested in nested, each ends with what is around it', async () => {
    const levels = [await parentOf()];
    for (let level = 0; level < 3; level++)
      levels.push(await start(levels.at(-1) as Launched, 'exec sleep 1000'));
    const numbers = levels.map(({ process: { pid } }) => numbersOf(pid));
    expect(new Set(levels.map(({ process: { pid } }) => pidNamespace(pid))).size).toBe(own ? 4 : 1);
    expect(numbers.map(({ length }) => length - (numbers[0]?.length ?? 0))).toEqual(
      own ? [0, 1, 2, 3] : [0, 0, 0, 0],
    );
    const [top, ...rest] = levels as [Launched, ...Launched[]];
    await top.process.destroy();
    for (const each of rest) expect(await each.process.exited).toBe(SIGKILL);
  });

  kernelTest('the tree of its parent, and mounts of its own on it', async () => {
    const mounts = [{ type: 'tmpfs', target: '/tmp', flags: [] }] as const;
    const parent = await kit.start('echo of the parent > /tmp/mark; echo up; exec sleep 1000', {
      mounts: [...kit.plan('true').mounts, ...mounts],
    });
    await parent.output(/up/);
    const standard = plan(parent, 'cat /tmp/mark; set /proc/[0-9]*; echo $#; ls /root; exec sleep 1000');
    const { rootfs: _rootfs, ...shared } = {
      ...standard,
      mounts: [
        ...standard.mounts.filter(({ type }) => type === 'proc'),
        { type: 'tmpfs', target: '/root', flags: [] } as const,
      ],
      fileOperations: [{ kind: 'mkdir', path: '/root/own', mode: 0o755 } as const],
    };
    shared.namespaces.enter.push({ kind: 'mount', pid: parent.process.pid });
    const nested = await kit.fork(shared);
    await nested.release();
    expect(await nested.output(/own/)).toBe(`of the parent\n${own ? 1 : 2}\nown\n`);
    expect(readFileSync(`/proc/${parent.process.pid}/mounts`, 'utf8')).not.toMatch(/\/root/);
  });

  kernelTest('its agent is killed: the next one takes it up, and its true status is known', async () => {
    const parent = await parentOf();
    for (const init of [false, true]) {
      const script = 'trap "exit 8" TERM; echo ready; while :; do sleep 0.01; done';
      const container = kit.container();
      const agent = await startAgent({
        containers: [container],
        plan: plan(parent, script, { init }),
        until: 'running',
      });
      const { state } = agent.launched[0] as (typeof agent.launched)[0];
      while (!/ready/.test(readIfPresent(join(container.sandbox, 'stdout')))) await sleep(1);
      await agent.kill();
      const { process: adopted } = kit.adopt({ container, state });
      expect(pidNamespace(adopted.pid) === pidNamespace(parent.process.pid)).toBe(!own);
      expect(adopted.signal(SIGTERM)).toBe(true);
      expect(await adopted.exited).toBe(8 << 8);
    }
  });

  kernelTest('its agent is killed with it at the gate: nothing of it is left', async () => {
    const parent = await parentOf();
    const container = kit.container();
    const agent = await startAgent({ containers: [container], plan: plan(parent, 'true'), until: 'gate' });
    await agent.kill();
    const { state } = agent.launched[0] as (typeof agent.launched)[0];
    const { process: adopted } = kit.adopt({ container, state });
    await adopted.destroy();
    expect(processesOf(parent)).toEqual([parent.process.pid]);
  });
});

describe('the door to a pid namespace within', () => {
  /** One that is still there when the container is over. */
  const slowDoor: LaunchStep = {
    ...leaveDoor,
    compile(plan, table) {
      table.place(table.door);
      const start = table.door.record;
      pause(100).compile(plan, table);
      leaveDoor.compile(plan, table);
      table.door.record = start;
    },
  };
  const steps = JOINING_STEPS.map((step) => (step === leaveDoor ? slowDoor : step));

  kernelTest.each([
    [['sh', '-c', 'exit 5'], 5],
    [['sh', '-c', 'exit 0'], 0],
  ])('is not taken for the container, and not left to others: %j', async (argv, exitCode) => {
    const parent = await parentOf();
    const namespaces = {
      create: ['mount', 'pid'],
      enter: [{ kind: 'pid', pid: parent.process.pid }],
    } as const;
    for (const init of [false, true]) {
      const plan = kit.plan(argv, {
        namespaces: { create: [...namespaces.create], enter: [...namespaces.enter] },
        init,
      });
      const nested = await kit.fork(plan, steps);
      await nested.release();
      expect(await nested.end()).toMatchObject({ exitCode });
    }
    // It would wait for whoever is in its pid namespace and not reaped.
    expect(processesOf(parent)).toEqual([parent.process.pid]);
    await parent.process.destroy();
  });
});

/** Every process that runs in the pid namespace of a container, and in those within. What is left to its init may be a zombie. */
function processesOf({ process: { pid } }: Launched): number[] {
  const depth = numbersOf(pid).length;
  const inside = pidNamespace(pid);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        if (isGone(each)) return false;
        return (
          numbersOf(each).length > depth ||
          (numbersOf(each).length === depth && pidNamespace(each) === inside)
        );
      } catch {
        return false;
      }
    });
}
