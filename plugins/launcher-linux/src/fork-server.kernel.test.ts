import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMountinfo, readStat } from '@caisson/linux/proc';
import { MS, mount, UMOUNT, umount } from '@caisson/linux/syscalls';
import { busyboxRootfs } from '@caisson/linux/testing';
import type { Mount } from '@caisson/plugin-sdk';
import { describe, expect } from '@jest/globals';
import { oldestChild } from './children.js';
import { compileLaunch } from './compile.js';
import { forkContainer } from './fork.js';
import { ForkServer, type LaunchKind } from './fork-server.js';
import { kindOf } from './start-supervisor.js';
import type { LaunchStep } from './step.js';
import { withoutCalls } from './testing/guard-off.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';
import type { PlanEdit } from './testing/standard-plan.js';

const kit = useLaunchKit({ reapOrphans: true });
let server: ForkServer;

/** A test with a fork server, which ends before the census is taken. */
const serverTest = (name: string, body: () => Promise<void>): void =>
  kernelTest(name, async () => {
    server = ForkServer.start(kit.directory, kit.directory, kit.reaper);
    try {
      await body();
    } finally {
      await kit.endAll();
      server.end();
    }
  });

/** Launches a command; tells whether the fork server has made its supervisor. */
async function launch(command: string, edit?: PlanEdit, steps?: readonly LaunchStep[]) {
  const container = kit.container();
  let forked = false;
  const onExecuted = (kind?: unknown) => {
    forked = kind !== undefined;
  };
  const context = { ...kit.context(steps), forkServer: server, onExecuted };
  const launched = kit.track(await forkContainer(container, kit.plan(command, edit), context), container);
  await launched.release();
  return { launched, forked };
}

/** The pids of a supervisor and a first process that wait, once there are any. */
async function waitingPair(): Promise<[number, number]> {
  for (;;) {
    const own = readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && pid !== server.pid && isImage(pid) && readStat(pid)?.ppid === process.pid);
    for (const pid of own) {
      const first = oldestChild(pid);
      if (!first) continue;
      closeSync(first.pidfd);
      return [pid, first.pid];
    }
    await sleep(5);
  }
}
const isImage = (pid: number): boolean => {
  try {
    return readlinkSync(`/proc/${pid}/exe`).startsWith('/memfd:caisson');
  } catch {
    return false;
  }
};

async function killed(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  // A zombie has closed its descriptors; until then the other end of its socket takes messages.
  while (!['Z', undefined].includes(readStat(pid)?.state)) await sleep(1);
}

/** Twice the same kind of launch: from then on one is kept ready. */
async function repeat(command: string, edit?: PlanEdit): Promise<void> {
  for (let count = 0; count < 2; count++) {
    const { launched } = await launch(command, edit);
    await launched.end();
  }
  server.prepare(kindFor(command, edit));
}

function kindFor(command: string, edit?: PlanEdit): LaunchKind {
  const plan = kit.plan(command, edit);
  return kindOf(compileLaunch(plan, undefined, 'received'), plan);
}

describe.each([
  ['forked for its launch', async () => {}],
  ['that waited for its launch', repeat],
])('a process %s', (_, before) => {
  serverTest('runs the command as a spawned one would', async () => {
    const command = 'echo $$; ls -l /proc/self/fd | grep -c -- "->"; exit 7';
    await before(command);
    const { launched, forked } = await launch(command);
    expect(forked).toBe(true);
    // 0, 1 and 2; what ls itself reads is closed when it looks (threat model N3).
    expect(await launched.end()).toMatchObject({ exitCode: 7, stdout: '1\n3\n' });
  });

  const plans: [what: string, edit: () => PlanEdit][] = [
    ['', () => ({})],
    // Then nothing can be put together, masked or made read-only ahead, as on a kernel before 6.15.
    [', with a mount in /dev', () => ({ mounts: [...kit.plan('true').mounts, boundTo('/dev/bound')] })],
  ];
  const boundTo = (target: string): Mount => ({
    ...{ type: 'bind', source: kit.rootfs, target, flags: ['ro'], recursive: true },
    createTarget: 'directory',
  });
  for (const [what, editFor] of plans)
    serverTest(`has the mounts, the limits and the identity of a spawned one${what}`, async () => {
      const edit = editFor();
      const command =
        'cut -d" " -f4- /proc/self/mountinfo | sed -E "s/(shared|master):[0-9]+//; s/c[0-9]+//" | sort; ls -l /dev | cut -c1-40;' +
        'grep -E "^(Cap|NoNew|Sig[BI]|Groups|Uid|NSsid)" /proc/self/status; umask; ulimit -a; id; cat /proc/self/oom_score_adj';
      const spawned = await kit.run(command, edit);
      await before(command, edit);
      const { launched, forked } = await launch(command, edit);
      const { stdout, stderr } = await launched.end();
      expect(forked).toBe(true);
      expect(stderr).toBe('');
      expect(stdout.split('\n')).toEqual(spawned.stdout.split('\n'));
      expect(stdout).toContain('/proc rw,nosuid,nodev,noexec');
      expect(stdout).toMatch(/^\/ \/sys\/firmware ro,.* tmpfs/m);
    });

  serverTest('has namespaces and roots of its own where a spawned one may', async () => {
    // In a root that is not the namespace's own, the kernel makes no user namespace, and changes no root (unshare(2), pivot_root(2)).
    const command =
      'busybox unshare -U true; echo user namespace $?;' +
      'busybox unshare -m sh -c "mount -t tmpfs none /tmp && cd /tmp && mkdir old && busybox pivot_root . old && echo /old/*"';
    const edit: PlanEdit = { privileged: true, maskedPaths: [], readOnlyPaths: [] };
    const spawned = await kit.run(command, edit);
    expect(spawned.stdout).toContain('/old/bin');
    await before(command, edit);
    const { launched, forked } = await launch(command, edit);
    expect(forked).toBe(true);
    expect(await launched.end()).toEqual(spawned);
  });

  const shared: [what: string, step: string, below: string, edit: (place: string) => PlanEdit][] = [
    ['its root filesystem', 'enter-rootfs', '/tmp', (rootfs) => ({ rootfs })],
    [
      'what is bound into it',
      'open-bind-sources',
      '/tmp/tmp',
      (source) => ({
        mounts: [
          ...kit.plan('true').mounts,
          { type: 'bind', source, target: '/tmp', flags: [], recursive: true },
        ],
      }),
    ],
  ];
  for (const [what, step, below, editFor] of shared)
    serverTest(`mounts nothing that is seen on the host where ${what} is shared (F6)`, async () => {
      const place = join(kit.directory, 'shared');
      mkdirSync(place);
      mount({ source: 'none', target: place, type: 'tmpfs' });
      mount({ source: 'none', target: place, flags: MS.MS_SHARED });
      busyboxRootfs(place);
      const seen = () => readMountinfo().filter(({ mountPoint }) => mountPoint.startsWith(`${place}/`));
      try {
        const command = `mount -t tmpfs none ${below} && grep -c " ${below} " /proc/self/mounts`;
        const edit = { privileged: true, ...editFor(place) };
        await before(command, edit);
        const { launched, forked } = await launch(command, edit);
        expect(forked).toBe(true);
        expect(await launched.end()).toMatchObject({ stdout: '1\n', stderr: '' });
        expect(seen()).toEqual([]);
        // The attack, with the guard off: what was handed over stays a peer of the host's mount.
        const attack = await launch(command, edit, withoutCalls(step, 'mount_setattr'));
        expect(await attack.launched.end()).toMatchObject({ stdout: '1\n' });
        expect(seen()).not.toEqual([]);
      } finally {
        umount(place, UMOUNT.MNT_DETACH);
        rmdirSync(place);
      }
    });

  serverTest('has a supervisor that holds the status file alone (A6)', async () => {
    await before('true');
    const { launched } = await launch('echo up; sleep 1000');
    await launched.output(/up/);
    const { pid } = launched.process.state.supervisor;
    const held = readdirSync(`/proc/${pid}/fd`).map((fd) => statSync(`/proc/${pid}/fd/${fd}`).ino);
    expect(held).toEqual([statSync(`${launched.container.runtimeDirectory}/status`).ino]);
  });

  serverTest('says what failed, by the step', async () => {
    await before('true', { workingDirectory: '/tmp' });
    await expect(launch('true', { workingDirectory: '/nowhere' })).rejects.toMatchObject({
      message: expect.stringContaining('step enter-working-directory: chdir(path="/nowhere"): ENOENT'),
    });
  });

  serverTest('has what a link of the host leads to, and says by the step what there is not', async () => {
    const [place, link] = [join(kit.directory, 'bound'), join(kit.directory, 'link')];
    mkdirSync(join(place, 'seen'), { recursive: true });
    symlinkSync(place, link);
    const edit: PlanEdit = {
      mounts: [
        ...kit.plan('true').mounts,
        { type: 'bind', source: link, target: '/tmp', flags: [], recursive: true },
      ],
    };
    try {
      await before('ls /tmp', edit);
      const { launched, forked } = await launch('ls /tmp', edit);
      expect(forked).toBe(true);
      expect(await launched.end()).toMatchObject({ stdout: 'seen\n' });
      rmSync(place, { recursive: true });
      await expect(launch('ls /tmp', edit)).rejects.toMatchObject({
        message: expect.stringMatching(/ENOENT.*bound|ENOENT.*link/),
      });
    } finally {
      rmSync(link);
      rmSync(place, { recursive: true, force: true });
    }
  });

  serverTest('ends with its supervisor', async () => {
    await before('true');
    const { launched } = await launch('sleep 1000');
    process.kill(launched.process.state.supervisor.pid, 'SIGKILL');
    expect(await launched.end()).toMatchObject({ signal: 'SIGKILL' });
  });
});

describe('the fork server', () => {
  serverTest('is given up where it died meanwhile, and the launch spawns its own supervisor', async () => {
    await killed(server.pid);
    const { launched, forked } = await launch('exit 3');
    expect(forked).toBe(false);
    expect(await launched.end()).toMatchObject({ exitCode: 3 });
    expect(server.alive).toBe(false);
  });

  serverTest('makes another process where the one that waits has died', async () => {
    await repeat('exit 5');
    for (const pid of await waitingPair()) await killed(pid);
    const { launched } = await launch('exit 5');
    expect(await launched.end()).toMatchObject({ exitCode: 5 });
  });

  serverTest('is passed over where the arguments are too large', async () => {
    const { launched, forked } = await launch('exit 4', {
      environment: { LONG: 'x'.repeat(100_000), LONGER: 'y'.repeat(110_000) },
    });
    expect(forked).toBe(false);
    expect(await launched.end()).toMatchObject({ exitCode: 4 });
  });

  const others: [string, PlanEdit][] = [
    ['has a terminal', { stdio: 'terminal' }],
    ['dies with the agent', { dieWithParent: true }],
    ['has pipes', { stdio: 'pipes' }],
  ];
  for (const [what, edit] of others)
    serverTest(`is passed over where the container ${what}`, async () => {
      const { launched, forked } = await launch('exit 6', edit);
      expect(forked).toBe(false);
      expect(await launched.end()).toMatchObject({ exitCode: 6 });
    });

  serverTest('lets what waits have nothing but its way to the agent (N3)', async () => {
    await repeat('true');
    const [supervisor, first] = await waitingPair();
    const open = (pid: number) =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(open(supervisor)).toEqual([expect.stringContaining(kit.directory)]); // its status file, still without a name
    // Its first step behind its table closes the way back to the host's mounts.
    while (open(first).some((target) => target.startsWith('mnt:'))) await sleep(1);
    // Gate, report and socket; the rest is of filesystems that it has made, which lie nowhere yet.
    const kinds = open(first).map((target) => target.replace(/:.*/, ''));
    expect(kinds.filter((kind) => kind === 'pipe')).toHaveLength(2);
    expect(open(first).filter((target) => target.includes('tmp') || target.includes('home'))).toEqual([]);
  });

  serverTest('lets what waits see nothing of the host, if it will have a root filesystem', async () => {
    await repeat('true');
    const [, first] = await waitingPair();
    const mounts = () => readMountinfo(first);
    expect(mounts()).toMatchObject([{ mountPoint: '/', filesystem: 'tmpfs' }]);
    expect(readdirSync(`/proc/${first}/root`)).toEqual([]);
    expect(() => mkdirSync(`/proc/${first}/root/x`)).toThrow('EROFS');
  });

  serverTest('keeps four kinds ready, and drops the one that is longest unused for a fifth', async () => {
    const { mounts } = kit.plan('true');
    const place = join(kit.directory, 'place');
    mkdirSync(place);
    const bind = (): Mount => ({ type: 'bind', source: place, target: '/tmp', flags: [], recursive: true });
    const edits = [0, 1, 2, 3, 4].map((n) => ({ mounts: [...mounts, ...Array.from({ length: n }, bind)] }));
    const ready = () => edits.map((edit) => server.isReadyFor(kindFor('true', edit)));
    const launchAndEnd = async (edit: PlanEdit) => (await launch('true', edit)).launched.end();
    for (const edit of edits.slice(0, 4)) await repeat('true', edit);
    expect(ready()).toEqual([true, true, true, true, false]);
    // Of this one both are used up: it does not count.
    for (let count = 0; count < 2; count++) await launchAndEnd(edits[3]!);
    await repeat('true', edits[4]);
    expect(ready()).toEqual([true, true, true, false, true]);
    await launchAndEnd(edits[0]!);
    await repeat('true', edits[3]);
    expect(ready()).toEqual([true, false, true, true, true]);
    rmdirSync(place);
  });

  serverTest('drops what waits when something was mounted meanwhile: it would not see it', async () => {
    const place = join(kit.directory, 'late');
    mkdirSync(place);
    const { mounts } = kit.plan('true');
    const bind: PlanEdit = {
      mounts: [...mounts, { type: 'bind', source: place, target: '/tmp', flags: [], recursive: true }],
    };
    await repeat('ls /tmp', bind);
    mount({ source: 'none', target: place, type: 'tmpfs' });
    try {
      mkdirSync(join(place, 'seen'));
      const { launched } = await launch('ls /tmp', bind);
      expect(await launched.end()).toMatchObject({ stdout: 'seen\n' });
    } finally {
      umount(place);
      rmdirSync(place);
    }
  });

  serverTest('leaves nothing when it ends', async () => {
    await repeat('true');
    const pids = [server.pid, ...(await waitingPair())];
    server.end();
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
  });
});
