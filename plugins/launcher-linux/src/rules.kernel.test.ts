/**
 * Rules of the threat model, each with its guard off first: a test of an attack that can't succeed proves nothing.
 * N1 sessions, N3 descriptors, N4 shared memory, N5 joining a pid namespace, N6 the gate, N7 uids, N8 the image,
 * N11 exec, N13 what is inherited, N14 destroy.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CallTable, Label, Program, runTable, sealImage } from '@caisson/linux/exec-stage';
import { readStat } from '@caisson/linux/proc';
import { posixSpawn } from '@caisson/linux/process';
import {
  capabilityBits,
  capabilityNumber,
  executableMemfd,
  P_PID,
  pidfdGetfd,
  pidfdOpen,
  pidfdSendSignal,
  pipe,
  pollReadable,
  prlimit,
  RLIMITS,
  WAIT,
  waitid,
} from '@caisson/linux/syscalls';
import { SLOWNESS } from '@caisson/linux/testing';
import { describe, expect } from '@jest/globals';
import { DEFAULT_CAPABILITIES } from './capabilities.js';
import { forkContainer } from './fork.js';
import type { NullInput } from './null-input.js';
import { readStatusFile } from './status-file.js';
import type { LaunchStep } from './step.js';
import { enterPidNamespace } from './steps/enter-pid-namespace.js';
import { STEPS } from './steps/index.js';
import { JOINING_STEPS } from './steps/joining.js';
import { startAgent } from './testing/agent.js';
import { stepsWith, withoutCalls, withoutSteps } from './testing/guard-off.js';
import { kernelTest, type Launched, useLaunchKit } from './testing/launch-kit.js';
import { hostPlan, type PlanEdit } from './testing/standard-plan.js';
import { thawFreezerOf } from './tracking-group.js';

const kit = useLaunchKit({ reapOrphans: true });
const SIGKILL = 9;
const user = { uid: 1000, gid: 1000, supplementaryGids: [] };

const ENDS_WITHIN_MS = 20_000 * SLOWNESS;

/** A process that makes the calls of a table and then waits until its standard input ends. */
class Waiter {
  readonly pid: number;
  readonly #input: number;

  constructor(build: (table: CallTable) => void, image?: number) {
    const table = new CallTable();
    table.step('wait');
    build(table);
    table.call('read', [0, table.memory(8), 1], { ignoreFailure: true });
    table.call('exit_group', [0]);
    const fd = image ?? sealImage(new Program(table).fill(), 'memfd', '/tmp');
    const { readEnd, writeEnd } = pipe();
    this.#input = writeEnd;
    this.pid = posixSpawn({
      path: `/proc/self/fd/${fd}`,
      argv: ['waiter'],
      fileActions: [{ dup2: [readEnd, 0] }],
    });
    closeSync(readEnd);
    if (image === undefined) closeSync(fd);
  }

  /** The raw end: exit code or signal. */
  end(): number | undefined {
    closeSync(this.#input);
    const pidfd = pidfdOpen(this.pid);
    try {
      if (!pollReadable(pidfd, ENDS_WITHIN_MS)) this.#fail();
      return waitid(P_PID, this.pid, WAIT.WEXITED)?.status;
    } finally {
      closeSync(pidfd);
    }
  }

  #fail(): never {
    const call = readFileSync(`/proc/${this.pid}/syscall`, 'latin1');
    const state = readStat(this.pid)?.state;
    process.kill(this.pid, 'SIGKILL');
    waitid(P_PID, this.pid, WAIT.WEXITED);
    throw new Error(`process ${this.pid} does not end: state ${state}, system call ${call}`);
  }
}

describe('N1: a container has a session and a process group of its own', () => {
  const suicide = 'kill -KILL 0; sleep 1000';
  kernelTest('else kill(0) reaches its supervisor, through the pid namespace', async () => {
    const attacked = await kit.fork(kit.plan(suicide), withoutCalls('clone-container', 'setsid'));
    // It may be over before anybody can say that it was executed.
    await attacked.release().catch(() => undefined);
    await attacked.process.exited;
    expect(readStatusFile(join(attacked.container.runtimeDirectory, 'status'))).toBeUndefined();
  });

  kernelTest('so kill(0) is a signal to itself, and the supervisor tells of it', async () => {
    const spared = await kit.start('sh -c "kill -KILL 0; sleep 1000"; exit 3');
    await spared.process.exited;
    expect(readStatusFile(join(spared.container.runtimeDirectory, 'status'))).toBeDefined();
  });
});

describe('N2: no disposition of a signal and no mask is inherited', () => {
  const [SIG_BLOCK, SIG_IGN, SIGPIPE, SIGXFSZ] = [0, 1, 13, 25];
  const bit = (signal: number) => 1n << BigInt(signal - 1);
  /** What a process is that was started as Node itself is: with signals ignored, and some held back. */
  const asNode: LaunchStep = {
    name: 'as-node',
    compile(_plan, table) {
      const action = Buffer.alloc(32);
      action.writeBigInt64LE(BigInt(SIG_IGN), 0);
      for (const signal of [SIGPIPE, SIGXFSZ])
        table.call('rt_sigaction', [signal, table.bytes(action), 0, 8]);
      const mask = Buffer.alloc(8);
      mask.writeBigUInt64LE(bit(10), 0);
      table.call('rt_sigprocmask', [SIG_BLOCK, table.bytes(mask), 0, 8]);
    },
  };
  const signals = (status: string) =>
    ['SigIgn', 'SigBlk'].map((name) =>
      BigInt(`0x${new RegExp(`^${name}:\\s*(\\w+)`, 'm').exec(status)?.[1]}`),
    );

  kernelTest('what the first process ignores or holds back, the command does too', async () => {
    const { stdout } = await kit.run(
      ['cat', '/proc/self/status'],
      {},
      stepsWith('become-supervisor', asNode),
    );
    expect(signals(stdout)).toEqual([bit(SIGPIPE) | bit(SIGXFSZ), bit(10)]);
  });

  kernelTest('the agent ignores signals, its containers do not', async () => {
    const [ignored = 0n] = signals(readFileSync('/proc/self/status', 'utf8'));
    expect(ignored & bit(SIGPIPE)).toBe(bit(SIGPIPE));
    expect(signals((await kit.run(['cat', '/proc/self/status'])).stdout)).toEqual([0n, 0n]);
  });
});

describe('N3: no descriptor leads out of the container (CVE-2024-21626)', () => {
  const noCheck = withoutCalls('enter-working-directory', 'getcwd');
  const open = (steps: readonly LaunchStep[]) => steps.filter(({ name }) => name !== 'close-descriptors');
  const unchecked = noCheck.map((step) =>
    step.name === 'enter-working-directory'
      ? {
          ...step,
          compile: (_plan: unknown, table: CallTable) =>
            void table.call('chdir', [table.slot('workingDirectory')]),
        }
      : step,
  ) as LaunchStep[];

  /** What a container finds that starts in each of the descriptors that the mounts were made with. */
  async function canarySeen(steps: readonly LaunchStep[]): Promise<boolean> {
    const canary = join(kit.directory, 'canary');
    writeFileSync(canary, 'of the host');
    try {
      return await anyShows(canary, steps);
    } finally {
      rmSync(canary);
    }
  }

  async function anyShows(canary: string, steps: readonly LaunchStep[]): Promise<boolean> {
    for (let fd = 5; fd < 24; fd++) {
      const up = '../'.repeat(12);
      const edit = { workingDirectory: `/proc/self/fd/${fd}` };
      const outcome = await kit
        .run(`cat ./${up}${canary} 2>/dev/null || cat ../canary 2>/dev/null`, edit, steps)
        .catch(() => undefined);
      if (outcome?.stdout.includes('of the host')) return true;
    }
    return false;
  }

  kernelTest('a container that starts in one reads the host, with both guards off', async () => {
    expect(await canarySeen(open(unchecked))).toBe(true);
  });
  kernelTest('they are closed before the working directory is entered', async () => {
    expect(await canarySeen(unchecked)).toBe(false);
  });
  kernelTest('and a directory that is not below the root is refused', async () => {
    expect(await canarySeen(open(STEPS))).toBe(false);
  });
});

describe('N4: a process that waits shares no memory with the agent', () => {
  const CANARY = `canary-${process.pid}-of-the-agent`;

  kernelTest('one that does shows it to whoever may read /proc/<pid>/mem', () => {
    // A stand-in for an agent: its child shares its memory, as between vfork and exec, and waits.
    const agent = new Waiter((table) => {
      const [parent, stack] = [new Label('parent'), table.memory(4096)];
      table.string(CANARY);
      const CLONE_VM = 0x100;
      table.call('clone', [CLONE_VM | 17, 0, stack, 0, 0], { jumpIfNotZero: parent });
      table.call('ppoll', [0, 0, 0, 0, 8]);
      table.place(parent);
    });
    const [child] = childrenOf(agent.pid);
    expect(memoryHolds(child as number, CANARY)).toBe(true);
    process.kill(child as number, 'SIGKILL');
    agent.end();
  });

  kernelTest('a gated one holds nothing of it', async () => {
    const secret = Buffer.from(CANARY);
    const gated = await kit.fork(kit.plan('true'));
    expect(memoryHolds(process.pid, secret.toString())).toBe(true);
    expect(memoryHolds(gated.process.pid, CANARY)).toBe(false);
    expect(memoryHolds(gated.process.state.supervisor.pid, CANARY)).toBe(false);
  });
});

function childrenOf(pid: number): number[] {
  for (;;) {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
    if (text !== '') return text.trim().split(' ').map(Number);
    if (readStat(pid)?.state === 'Z') throw new Error(`process ${pid} has ended without a child`);
  }
}

/** Looks through every writable mapping of a process. */
function memoryHolds(pid: number, text: string): boolean {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1')
      .split('\n')
      .filter((line) => / rw/.test(line))
      .some((line) => {
        const [from = '0', to = '0'] = (line.split(' ')[0] ?? '').split('-');
        return regionHolds(memory, Number.parseInt(from, 16), Number.parseInt(to, 16), text);
      });
  } finally {
    closeSync(memory);
  }
}

function regionHolds(memory: number, from: number, to: number, text: string): boolean {
  const chunk = Buffer.alloc(Math.min(to - from, 1 << 20));
  for (let at = from; at < to; at += chunk.length) {
    try {
      const length = readSync(memory, chunk, 0, Math.min(chunk.length, to - at), at);
      if (chunk.subarray(0, length).includes(text)) return true;
    } catch {
      // a page that cannot be read, such as a guard
    }
  }
  return false;
}

describe('N5: entering a pid namespace is the last act (CVE-2016-9962)', () => {
  // The attacker looks at each new process for a way to the host, for as long as it lives.
  const attack = (canary: string) =>
    `echo up; while :; do for p in /proc/[0-9]*; do [ -e $p/root${canary} ] && echo ESCAPE; done; done`;
  // The pid namespace first, and then all the rest in sight of who is in it, slowly enough to be looked at.
  const slowly: LaunchStep = {
    name: 'slowly',
    compile(_plan, table) {
      const time = Buffer.alloc(16);
      time.writeBigInt64LE(50_000_000n, 8);
      table.call('ppoll', [0, 0, table.bytes(time), 0, 8]);
    },
  };
  const joinPid: LaunchStep = {
    name: 'join-pid-namespace',
    compile(_plan, table) {
      table.call('setns', [table.descriptor('namespace pid'), 0x20000000]);
    },
  };
  const step = (name: string) => JOINING_STEPS.find((each) => each.name === name) as LaunchStep;
  const late = [step('join-namespaces'), step('close-descriptors')];
  const early = [...JOINING_STEPS]
    .filter((each) => each !== enterPidNamespace && !late.includes(each))
    .flatMap((each) =>
      each.name === 'wait-at-gate' ? [each, joinPid, enterPidNamespace, slowly, ...late] : [each],
    );

  async function escapes(steps: readonly LaunchStep[], joins: number): Promise<boolean> {
    const canary = join(kit.directory, 'canary');
    writeFileSync(canary, 'of the host');
    try {
      return await anyEscape(await kit.start(attack(canary), { privileged: true }), steps, joins);
    } finally {
      rmSync(canary);
    }
  }

  async function anyEscape(target: Launched, steps: readonly LaunchStep[], joins: number): Promise<boolean> {
    await target.output(/up/);
    const pid = target.process.pid;
    const enter = [
      { kind: 'pid', pid },
      { kind: 'mount', pid },
    ] as const;
    for (let count = 0; count < joins; count++) {
      const joined = await kit.fork(
        hostPlan(['/bin/true'], { namespaces: { create: [], enter: [...enter] } }),
        steps,
      );
      await joined.release().catch(() => undefined);
      await joined.process.exited;
      if (/ESCAPE/.test(target.stdout())) return true;
    }
    return false;
  }

  kernelTest('joined early, it shows the host to a container that may trace', async () => {
    expect(await escapes(early, 20)).toBe(true);
  });
  kernelTest('joined last, it shows the container itself alone', async () => {
    expect(await escapes(JOINING_STEPS, 60)).toBe(false);
  });
});

describe('N5: a process that is traced while it joins', () => {
  // What a container with CAP_SYS_PTRACE can take from it: the report, held open or written to.
  const joiningTo = (pid: number) => {
    const enter = (['mount', 'pid'] as const).map((kind) => ({ kind, pid }));
    return hostPlan(['sleep', '1000'], { namespaces: { create: [], enter }, environment: { PATH: '/bin' } });
  };
  async function withReportTaken(body: (joining: Launched, report: number) => Promise<void>): Promise<void> {
    const parent = await kit.start('sleep 1000');
    const joining = await kit.fork(joiningTo(parent.process.pid));
    const pidfd = pidfdOpen(joining.process.pid);
    const report = pidfdGetfd(pidfd, 4);
    try {
      await body(joining, report);
    } finally {
      for (const fd of [pidfd, report]) closeSync(fd);
    }
  }

  kernelTest('cannot make the agent wait for ever', async () => {
    await withReportTaken(async (joining) => {
      const released = joining.release();
      await sleep(50);
      await joining.process.destroy();
      await expect(released).resolves.toBeUndefined();
    });
  });

  kernelTest('cannot end it with nonsense, nor make it take another process for the container', async () => {
    await withReportTaken(async (joining, report) => {
      const pid = Buffer.alloc(8);
      pid.writeBigInt64LE(BigInt(process.pid));
      writeSync(report, pid);
      const released = joining.release().catch((error: Error) => error);
      writeSync(report, 'nonsense that is no record');
      await sleep(50);
      expect(joining.process.pid).not.toBe(process.pid);
      await joining.process.destroy();
      await released;
    });
  });
});

describe('N7: no thread of the agent takes the uid of a container', () => {
  const shared = (script: string) => hostPlan(script, { user, workingDirectory: '/' });

  kernelTest('one that does can be killed from the container, and the agent with it', async () => {
    const agent = new Waiter((table) => {
      table.call('setresuid', [user.uid, user.uid, user.uid]);
    });
    expect(await kit.run(shared(`kill -KILL ${agent.pid}`))).toMatchObject({ exitCode: 0 });
    expect(agent.end()).toBe(SIGKILL);
  });

  kernelTest(
    'all are root while a container of another uid is launched, and cannot be signalled',
    async () => {
      const gated = await kit.fork(shared(`kill -0 ${process.pid}`));
      const uids = readdirSync('/proc/self/task').map(
        (task) => /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/self/task/${task}/status`, 'utf8'))?.[1],
      );
      expect(new Set(uids)).toEqual(new Set(['0\t0\t0\t0']));
      await gated.release();
      expect(await gated.end()).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('not permitted'),
      });
    },
  );
});

describe('N8: nobody can write to what is behind /proc/<pid>/exe (CVE-2019-5736)', () => {
  /** Holds the executable by its link while the process lives, and opens it for writing once it has ended. */
  async function overwrite(pid: number, end: () => unknown): Promise<string> {
    const held = openSync(`/proc/${pid}/exe`, constants.O_RDONLY);
    await end();
    try {
      const writer = openSync(`/proc/self/fd/${held}`, constants.O_WRONLY);
      try {
        writeSync(writer, 'overwritten', 0);
      } finally {
        closeSync(writer);
      }
      return readSync(held, Buffer.alloc(11), 0, 11, 0) === 11 ? 'overwritten' : 'nothing';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? 'failed';
    } finally {
      closeSync(held);
    }
  }

  kernelTest('an image that is not sealed is overwritten', async () => {
    const table = new CallTable();
    table.step('wait');
    table.call('read', [0, table.memory(8), 1], { ignoreFailure: true });
    table.call('exit_group', [0]);
    const writer = executableMemfd('unsealed');
    writeSync(writer, new Program(table).fill());
    const image = openSync(`/proc/self/fd/${writer}`, 'r');
    closeSync(writer);
    const waiter = new Waiter(() => {}, image);
    closeSync(image);
    expect(await overwrite(waiter.pid, () => waiter.end())).toBe('overwritten');
  });

  kernelTest('the image of a launch is sealed', async () => {
    const gated = await kit.fork(kit.plan('true'));
    expect(await overwrite(gated.process.pid, () => gated.process.destroy())).toBe('EPERM');
  });

  kernelTest(
    'an entrypoint of /proc/self/exe executes the image, which ends, and no program of the agent',
    async () => {
      const { stdout, exitCode } = await kit.run([
        '/proc/self/exe',
        '-e',
        'console.log("node of the agent")',
      ]);
      expect(stdout).toBe('');
      expect(exitCode).not.toBe(0);
    },
  );
});

describe('N8: a script that names /proc/self/exe as its interpreter', () => {
  kernelTest('runs the image, which knows nothing of the agent and ends', async () => {
    writeFileSync(join(kit.rootfs, 'tmp/script'), '#!/proc/self/exe\n', { mode: 0o755 });
    const { stdout, exitCode } = await kit.run(['/tmp/script', '-e', 'console.log("node of the agent")']);
    expect([stdout, exitCode]).toEqual(['', 111]);
    rmSync(join(kit.rootfs, 'tmp/script'));
  });
});

describe('N15: a pid namespace has a procfs of its own', () => {
  const canary = () => join(kit.directory, 'canary');
  const look = () => kit.run(`cat /proc/${process.pid}/root${canary()}`, { privileged: true });

  kernelTest('that of the host leads out of the container, by the root of any process', async () => {
    writeFileSync(canary(), 'of the host');
    const hosts = kit.plan(`cat /host-proc/${process.pid}/root${canary()}`, { privileged: true });
    hosts.mounts.push({
      type: 'bind',
      source: '/proc',
      target: '/host-proc',
      recursive: false,
      flags: [],
      createTarget: 'directory',
    });
    expect((await kit.run(hosts)).stdout).toBe('of the host');
    expect(await look()).toMatchObject({ stdout: '', exitCode: 1 });
    rmSync(canary());
    rmdirSync(join(kit.rootfs, 'host-proc'));
  });
});

describe('F8: the standard input is no way to a file of the host', () => {
  // To the mode that it has: a change all the same, where it is allowed.
  const change =
    'chmod 666 /proc/self/fd/0 2>/dev/null && echo changed the host; chmod 640 /proc/self/fd/1 && echo its own';
  const asItIs = { open: () => openSync('/dev/null', 'r'), close() {} } as unknown as NullInput;

  kernelTest('opened as it is, root of a container can take the null device from everybody', async () => {
    const container = kit.container();
    const context = { ...kit.context(), input: asItIs };
    const launched = kit.track(await forkContainer(container, kit.plan(change), context), container);
    await launched.release();
    expect((await launched.end()).stdout).toBe('changed the host\nits own\n');
  });

  kernelTest('by a read-only mount it cannot', async () => {
    expect((await kit.run(change)).stdout).toBe('its own\n');
    expect((await kit.run('cat; cat /proc/self/fd/0; test -c /proc/self/fd/0 && echo end')).stdout).toBe(
      'end\n',
    );
  });
});

describe('N11: launched means executed', () => {
  kernelTest('a pipe that exec closes is closed by a death before it too', () => {
    const { readEnd, writeEnd } = pipe();
    const table = new CallTable();
    table.step('wait');
    table.call('read', [0, table.memory(8), 1]);
    const image = sealImage(new Program(table).fill(), 'memfd', '/tmp');
    const input = pipe();
    const pid = posixSpawn({
      path: `/proc/self/fd/${image}`,
      argv: ['waiter'],
      fileActions: [{ dup2: [input.readEnd, 0] }, { dup2: [writeEnd, 4] }],
    });
    for (const fd of [image, writeEnd, input.readEnd]) closeSync(fd);
    process.kill(pid, 'SIGKILL');
    waitid(P_PID, pid, WAIT.WEXITED);
    // To who looks at the pipe alone, it was launched.
    expect(readSync(readEnd, Buffer.alloc(8))).toBe(0);
    for (const fd of [readEnd, input.writeEnd]) closeSync(fd);
  });

  kernelTest('a launch that was killed at the gate has failed, whenever it is asked', async () => {
    for (let count = 0; count < 20; count++) {
      const gated = await kit.fork(kit.plan('true'));
      process.kill(gated.process.pid, 'SIGKILL');
      await expect(gated.release()).rejects.toMatchObject({ code: 'ENDED_BEFORE_EXEC' });
    }
  });

  kernelTest('a command that ends at once was launched', async () => {
    for (let count = 0; count < 20; count++) {
      const launched = await kit.start('exit 5');
      expect(await launched.end()).toMatchObject({ exitCode: 5 });
    }
  });
});

describe('N14: destroy', () => {
  const freezer = '/sys/fs/cgroup/freezer';
  const cgroup = join(freezer, `caisson-rules-${process.pid}`);

  kernelTest(
    'a frozen container does not die of SIGKILL alone; destroy thaws it, and its cgroup can go',
    async () => {
      if (!readdirSync('/sys/fs/cgroup').includes('freezer')) return;
      const launched = await kit.start('sleep 1000');
      mkdirSync(cgroup);
      writeFileSync(join(cgroup, 'cgroup.procs'), String(launched.process.pid));
      writeFileSync(join(cgroup, 'freezer.state'), 'FROZEN');
      const pidfd = pidfdOpen(launched.process.pid);
      pidfdSendSignal(pidfd, SIGKILL);
      // The guard is off: nobody thaws it.
      expect(pollReadable(pidfd, 300)).toBe(false);
      expect(() => rmdirSync(cgroup)).toThrow('EBUSY');
      await launched.process.destroy();
      expect(pollReadable(pidfd, 0)).toBe(true);
      closeSync(pidfd);
      rmdirSync(cgroup);
    },
  );

  kernelTest('the number of a container that is gone thaws nobody else (N12)', async () => {
    if (!readdirSync('/sys/fs/cgroup').includes('freezer')) return;
    const [gone, other] = [await kit.start('sleep 1000'), await kit.start('sleep 1000')];
    const pidfds = [gone, other].map(({ process: { pid } }) => pidfdOpen(pid));
    const [pidfdOfGone, pidfdOfOther] = pidfds as [number, number];
    await gone.process.destroy();
    mkdirSync(cgroup);
    writeFileSync(join(cgroup, 'cgroup.procs'), String(other.process.pid));
    writeFileSync(join(cgroup, 'freezer.state'), 'FROZEN');
    const isFrozen = () => readFileSync(join(cgroup, 'freezer.state'), 'utf8') !== 'THAWED\n';
    // As it would be if the number of the one that is gone were the other's by now.
    thawFreezerOf(other.process.pid, pidfdOfGone, kit.cgroups);
    expect(isFrozen()).toBe(true);
    thawFreezerOf(other.process.pid, pidfdOfOther, kit.cgroups);
    expect(isFrozen()).toBe(false);
    await other.process.destroy();
    for (const fd of pidfds) closeSync(fd);
    rmdirSync(cgroup);
  });
});

describe('N6: the gate fails closed', () => {
  const alive = (pid: number) => readStat(pid)?.state !== undefined && readStat(pid)?.state !== 'Z';

  kernelTest('who waits at a FIFO outlives a killed parent, and executes when anybody opens it', async () => {
    const fifo = join(kit.directory, 'gate');
    execFileSync('mkfifo', [fifo]);
    const parent = spawn('sh', ['-c', `sh -c 'read -r go < "$0"; exec sleep 1000' ${fifo} & echo $!; wait`]);
    const [line] = await once(parent.stdout, 'data');
    const child = Number(String(line));
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect(alive(child)).toBe(true);
    writeFileSync(fifo, 'go\n');
    while (readStat(child)?.command !== 'sleep') await sleep(1);
    process.kill(child, 'SIGKILL');
    rmSync(fifo);
  });

  kernelTest('agents killed with 150 children at the gate: none outlives it', async () => {
    for (let round = 0; round < 5; round++) {
      const containers = Array.from({ length: 30 }, () => kit.container());
      const agent = await startAgent({ containers, plan: kit.plan('sleep 1000'), until: 'gate' });
      const pids = agent.launched.flatMap(({ state }) => [state.process.pid, state.supervisor.pid]);
      expect(pids.filter(alive)).toHaveLength(60);
      await agent.kill();
      const deadline = performance.now() + 5000;
      while (pids.some(alive) && performance.now() < deadline) await sleep(5);
      expect(pids.filter(alive)).toEqual([]);
    }
  });
});

describe('N13: what a container is born with', () => {
  const field = (status: string, name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  const statusOf = async (edit: PlanEdit = {}, steps?: readonly LaunchStep[]) =>
    (await kit.run(['cat', '/proc/self/status'], edit, steps)).stdout;

  kernelTest('its own session keyring', async () => {
    const GET_KEYRING_ID = 0;
    const tell: LaunchStep = {
      name: 'tell-keyring',
      compile: (_plan, table) => tellKeyring(table),
    };
    const tellKeyring = (table: CallTable) => {
      const id = table.call('keyctl', [GET_KEYRING_ID, -3, 0, 0, 0]);
      table.call('write', [1, table.addressOf(id), 8]);
    };
    const table = new CallTable();
    table.step('tell');
    tellKeyring(table);
    table.call('exit_group', [0]);
    const agents = runTable(table).output;
    const inContainer = async (steps: readonly LaunchStep[]) =>
      (await kit.run('true', {}, stepsWith('set-limits', tell, steps))).stdout;
    expect(await inContainer(withoutSteps('new-keyring'))).toBe(agents);
    expect(await inContainer(STEPS)).not.toBe(agents);
  });

  kernelTest("an oom_score_adj as configured, never the agent's", async () => {
    const script = 'cat /proc/self/oom_score_adj';
    writeFileSync('/proc/self/oom_score_adj', '300');
    try {
      expect((await kit.run(script, {}, withoutSteps('adjust-oom-score'))).stdout).toBe('300\n');
      expect((await kit.run(script)).stdout).toBe('0\n');
      expect((await kit.run(script, { oomScoreAdj: 500 })).stdout).toBe('500\n');
    } finally {
      writeFileSync('/proc/self/oom_score_adj', '0');
    }
  });

  kernelTest('umask 022 and no core dumps', async () => {
    const before = prlimit(0, RLIMITS.CORE);
    prlimit(0, RLIMITS.CORE, { soft: before.hard, hard: before.hard });
    try {
      const off = await kit.run('umask; ulimit -c', {}, withoutSteps('set-limits'));
      expect(off.stdout).not.toMatch(/^0022/);
      expect(off.stdout).not.toMatch(/^0$/m);
      expect((await kit.run('umask; ulimit -c')).stdout).toBe('0022\n0\n');
    } finally {
      prlimit(0, RLIMITS.CORE, before);
    }
  });

  kernelTest('bounded capabilities in all five sets, and no new privileges', async () => {
    const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
    const off = await statusOf({ noNewPrivileges: false }, withoutSteps('drop-bounding', 'set-capabilities'));
    const on = await statusOf();
    const bounded = capabilityBits(DEFAULT_CAPABILITIES.map((name) => capabilityNumber(name) as number));
    const beyond = (status: string) =>
      sets.filter((name) => (BigInt(`0x${field(status, name)}`) & ~bounded) !== 0n);
    expect(beyond(off)).toEqual(['CapPrm', 'CapEff', 'CapBnd']);
    expect(beyond(on)).toEqual([]);
    expect([field(off, 'NoNewPrivs'), field(on, 'NoNewPrivs')]).toEqual(['0', '1']);
  });
});
