import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { Cgroup, type Hierarchy, Cgroups as HostCgroups } from '@caisson/linux/cgroups';
import { SyscallError, umount } from '@caisson/linux/syscalls';
import { GatedProcess, needs, withCensus } from '@caisson/linux/testing';
import { Cgroups, type Container, type ContainerStatus } from '@caisson/plugin-sdk';
import {
  type ContainerOverrides,
  describeIsolatorContract,
  type StartedIsolator,
  TestContainers,
} from '@caisson/plugin-sdk/testing';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import plugin from './index.js';

const ROOT = 'caisson-net-cls-test';
const cgroups = new HostCgroups();
const services = [[Cgroups, cgroups]] as const;
const host = plugin.isolators?.[0]?.requires?.host;
const kernelTest = needs(test, { root: true, host: () => host?.() });
const possible = process.platform === 'linux' && process.getuid?.() === 0 && host?.() === undefined;
const packetTest = needs(test, {
  root: true,
  programs: ['iptables', 'ip', 'nsenter', 'unshare', '/usr/bin/python3'],
  host: () => host?.() ?? (hasMatch() ? undefined : 'iptables cannot match cgroups on this kernel'),
});

const PRIMARY = { primaryHandle: '0x0010' };

let mountedByUs = false;
const containers = new TestContainers({ plugin, services, options: { root: ROOT } }, GatedProcess.start);

const hierarchy = (): Hierarchy => cgroups.find('net_cls') as Hierarchy;
const cgroupAt = (path: string): Cgroup => hierarchy().cgroup(`${ROOT}/${path}`);
const classidAt = (path: string): number => cgroupAt(path).readNumber('net_cls.classid');

/** In a network namespace of its own, that is gone with the command. */
function hasMatch(): boolean {
  const rule = 'ip link set lo up && iptables -A OUTPUT -m cgroup --cgroup 0x100001';
  return spawnSync('unshare', ['--net', 'sh', '-c', rule], { stdio: 'ignore' }).status === 0;
}

beforeAll(() => {
  containers.open();
  if (!possible) return;
  // The tests mount it once, as a host has it mounted, so that each test leaves the mount table as it was.
  mountedByUs = cgroups.find('net_cls') === undefined;
  cgroups.ensure('net_cls');
});
afterAll(() => {
  containers.remove();
  const mountPoint = mountedByUs ? cgroups.find('net_cls')?.mountPoint : undefined;
  cgroups.close();
  if (mountPoint) umount(mountPoint);
});
afterEach(async () => {
  await containers.endAll();
  cgroups.close();
});
withCensus({ reapOrphans: true });

/** A container at its gate. */
const launch = (
  isolator: StartedIsolator,
  overrides: ContainerOverrides = {},
  command: string | readonly string[] = 'sleep 1000',
) => containers.launch(isolator, command, overrides);

async function statusOf(isolator: StartedIsolator, container: Container): Promise<ContainerStatus> {
  const status: ContainerStatus = { container_id: container.id };
  await isolator.call('status', container, status);
  return status;
}

const classOf = async (isolator: StartedIsolator, container: Container) =>
  (await statusOf(isolator, container)).cgroup_info?.net_cls?.classid;

const freeOf = async (isolator: StartedIsolator, container: Container) =>
  (await statusOf(isolator, container)).extensions?.['cgroups/net_cls'];

describeIsolatorContract({ plugin, services, options: { root: ROOT, ...PRIMARY } });

describe('C1: a container', () => {
  kernelTest('has its class, then its process, both read back from the kernel', async () => {
    const isolator = containers.isolator(PRIMARY);
    const { container, process } = await launch(isolator, { id: 'web' });
    expect(classidAt('web')).toBe(0x100001);
    expect(cgroupAt('web').pids()).toEqual([process.pid]);
    expect(await statusOf(isolator, container)).toEqual({
      container_id: 'web',
      cgroup_info: { net_cls: { classid: 0x100001 } },
      extensions: { 'cgroups/net_cls': { handles_total: 65_535, handles_free: 65_534 } },
    });
  });

  kernelTest('has the class before it has a process', async () => {
    const isolator = containers.isolator(PRIMARY);
    const container = containers.container(isolator, { id: 'web' });
    await isolator.prepare(container);
    expect([classidAt('web'), cgroupAt('web').pids()]).toEqual([0x100001, []]);
  });

  kernelTest('does not get to the gate if its process is gone', async () => {
    const isolator = containers.isolator(PRIMARY);
    const container = containers.container(isolator, { id: 'web' });
    await isolator.prepare(container);
    await expect(isolator.call('isolate', container, 0x7ffffffe)).rejects.toMatchObject({ code: 'ESRCH' });
  });

  kernelTest('is not the owner of its cgroup, also as a user: it could make one with any class', async () => {
    const user = { uid: 54321, gid: 54321, supplementaryGids: [] };
    await launch(containers.isolator(PRIMARY), { id: 'web', user });
    const mkdir = spawnSync(
      'setpriv',
      ['--reuid=54321', '--regid=54321', '--clear-groups', 'mkdir', `${cgroupAt('web')}/own`],
      { encoding: 'utf8' },
    );
    expect(mkdir.stderr).toContain('Permission denied');
  });
});

describe('handles', () => {
  kernelTest('are given lowest first, and again only once the cgroup is gone', async () => {
    const isolator = containers.isolator({ ...PRIMARY, secondaryHandles: '5,7', destroyTimeout: '30ms' });
    const stays = containers.container(isolator, { id: 'a' });
    await isolator.prepare(stays);
    const { container } = await launch(isolator, { id: 'b' });
    expect(['a', 'b'].map(classidAt)).toEqual([0x100005, 0x100006]);
    // As if the kernel did not let it go yet (N14): when it does differs from kernel to kernel.
    const busy = jest.spyOn(Cgroup.prototype, 'removeDirectory').mockImplementation(() => {
      throw new SyscallError('unlinkat', constants.errno.EBUSY);
    });
    await expect(isolator.call('cleanup', stays)).rejects.toMatchObject({ code: 'EBUSY' });
    busy.mockRestore();
    await launch(isolator, { id: 'c' });
    expect(classidAt('c')).toBe(0x100007);
    await isolator.call('cleanup', stays);
    expect(cgroupAt('a').exists()).toBe(false);
    expect(await freeOf(isolator, container)).toEqual({ handles_total: 3, handles_free: 1 });
    await launch(isolator, { id: 'd' });
    expect(classidAt('d')).toBe(0x100005);
  });

  kernelTest('that are all in use are a clear error of the launch, which leaves nothing', async () => {
    const isolator = containers.isolator({ ...PRIMARY, secondaryHandles: '1,2' });
    const { container } = await launch(isolator, { id: 'a' });
    await launch(isolator, { id: 'b' });
    await expect(launch(isolator, { id: 'c' })).rejects.toMatchObject({
      code: 'NO_FREE_HANDLES',
      kind: 'exhausted',
      message: expect.stringContaining('all 2 of primary 0x0010 are in use'),
    });
    expect(cgroupAt('c').exists()).toBe(false);
    await isolator.call('cleanup', containers.host.container({ id: 'c' }));
    await isolator.call('cleanup', container);
    await launch(isolator, { id: 'd' });
    expect(classidAt('d')).toBe(0x100001);
  });

  kernelTest('may be asked for', async () => {
    const isolator = containers.isolator(PRIMARY);
    await launch(isolator, { id: 'a', config: { netClsClassid: 0x100777 } });
    expect(classidAt('a')).toBe(0x100777);
    await expect(launch(isolator, { id: 'b', config: { netClsClassid: 0x100777 } })).rejects.toMatchObject({
      code: 'HANDLE_IN_USE',
    });
    await expect(launch(isolator, { id: 'c', config: { netClsClassid: 0x110001 } })).rejects.toMatchObject({
      code: 'HANDLE_NOT_IN_POOL',
    });
    const unmanaged = launch(containers.isolator(), { id: 'd', config: { netClsClassid: 0x100001 } });
    await expect(unmanaged).rejects.toMatchObject({ code: 'HANDLES_NOT_MANAGED' });
  });

  kernelTest('of other agents and of operators are not given, until their cgroups are gone', async () => {
    const [ours, theirs] = [
      containers.isolator(PRIMARY),
      containers.isolator({ ...PRIMARY, root: `${ROOT}-2` }),
    ];
    const operators = hierarchy().cgroup('caisson-operator/deep');
    operators.create();
    operators.write('net_cls.classid', 0x100001);
    try {
      const other = await launch(theirs, { id: 'a' });
      await launch(ours, { id: 'b' });
      expect(classidAt('b')).toBe(0x100003);
      await theirs.call('cleanup', other.container);
      await launch(ours, { id: 'c' });
      expect(classidAt('c')).toBe(0x100002);
    } finally {
      operators.removeDirectory();
      hierarchy().cgroup('caisson-operator').removeDirectory();
    }
    await launch(ours, { id: 'd' });
    expect(classidAt('d')).toBe(0x100001);
  });

  kernelTest('are distinct where two agents launch at once', async () => {
    const agents = [containers.isolator(PRIMARY), containers.isolator({ ...PRIMARY, root: `${ROOT}-2` })];
    const ids = Array.from({ length: 20 }, (_, index) => `c${index}`);
    const all = await Promise.all(agents.flatMap((agent) => ids.map((id) => launch(agent, { id }))));
    const classes = await Promise.all(
      all.map(({ container }, index) => classOf(agents[Math.floor(index / ids.length)]!, container)),
    );
    expect(new Set(classes).size).toBe(2 * ids.length);
  });

  kernelTest('of 300 real containers are distinct, read back from the kernel', async () => {
    const isolator = containers.isolator(PRIMARY);
    const ids = Array.from({ length: 300 }, (_, index) => `c${index}`);
    for (let at = 0; at < ids.length; at += 20)
      await Promise.all(ids.slice(at, at + 20).map((id) => launch(isolator, { id })));
    const classes = ids.map(classidAt);
    expect(new Set(classes).size).toBe(300);
    expect(Math.max(...classes)).toBe(0x10012c);
    for (const [index, { pid }] of containers.processes.entries())
      expect([index, hierarchy().cgroupOf(pid)?.path.startsWith(`${ROOT}/c`)]).toEqual([index, true]);
  });
});

describe('without a primary handle', () => {
  kernelTest('a container has a cgroup and no class, until an operator writes one', async () => {
    const isolator = containers.isolator();
    const { container, process } = await launch(isolator, { id: 'web' });
    expect(cgroupAt('web').pids()).toEqual([process.pid]);
    expect(await statusOf(isolator, container)).toEqual({ container_id: 'web' });
    cgroupAt('web').write('net_cls.classid', 0x50007);
    expect(await classOf(isolator, container)).toBe(0x50007);
    const after = containers.isolator({}, isolator);
    await after.call('recover', { containers: [container], orphans: [] });
    expect(await classOf(after, container)).toBe(0x50007);
  });
});

describe('a nested container', () => {
  kernelTest('shares class and cgroup of its root, and leaves them alone at its end', async () => {
    const isolator = containers.isolator(PRIMARY);
    const parent = await launch(isolator, { id: 'web' });
    const { container, process } = await launch(isolator, { id: 'web.a' });
    const deeper = await launch(isolator, { id: 'web.a.b' });
    expect(cgroupAt('web').pids()).toEqual(expect.arrayContaining([process.pid, deeper.process.pid]));
    expect(await classOf(isolator, deeper.container)).toBe(0x100001);
    await isolator.call('cleanup', deeper.container);
    await isolator.call('cleanup', container);
    expect(await classOf(isolator, parent.container)).toBe(0x100001);
    expect(await freeOf(isolator, parent.container)).toMatchObject({ handles_free: 65_534 });
    await expect(
      launch(isolator, { id: 'web.c', config: { netClsClassid: 0x100009 } }),
    ).rejects.toMatchObject({
      code: 'SHARES_PARENTS_HANDLE',
    });
  });

  kernelTest('has its own if it asks for that', async () => {
    const isolator = containers.isolator(PRIMARY);
    await launch(isolator, { id: 'web' });
    const { container } = await launch(isolator, { id: 'web.a', config: { shareCgroups: false } });
    expect([classidAt('web'), classidAt('web/mesos/a')]).toEqual([0x100001, 0x100002]);
    await isolator.call('cleanup', container);
    await launch(isolator, { id: 'other' });
    expect(classidAt('other')).toBe(0x100002);
  });
});

describe('a restart of the agent', () => {
  kernelTest('gives no handle of a running container to another', async () => {
    const before = containers.isolator(PRIMARY);
    const running = [await launch(before, { id: 'a' }), await launch(before, { id: 'b' })];
    await before.call('cleanup', running[0]!.container);
    const after = containers.isolator(PRIMARY, before);
    await after.call('recover', { containers: [running[1]!.container], orphans: [] });
    await launch(after, { id: 'c' });
    await launch(after, { id: 'd' });
    expect(['b', 'c', 'd'].map(classidAt)).toEqual([0x100002, 0x100001, 0x100003]);
    await after.call('cleanup', running[1]!.container);
    await launch(after, { id: 'e' });
    expect(classidAt('e')).toBe(0x100002);
  });

  kernelTest.each([
    ['another primary', { primaryHandle: '0x0020' }],
    ['a narrower range', { ...PRIMARY, secondaryHandles: '0x0100,0x0200' }],
    ['classes that are not managed any more', {}],
  ])('with %s leaves running containers their classes', async (_, options) => {
    const before = containers.isolator(PRIMARY);
    const { container } = await launch(before, { id: 'a' });
    const after = containers.isolator(options, before);
    await after.call('recover', { containers: [container], orphans: [] });
    expect(await classOf(after, container)).toBe(0x100001);
    const next = await launch(after, { id: 'b' });
    expect(await classOf(after, next.container)).not.toBe(0x100001);
    await after.call('cleanup', container);
    expect(cgroupAt('a').exists()).toBe(false);
  });

  kernelTest(
    'repairs a class of 0: the one it had, or if that was given away meanwhile, another',
    async () => {
      const before = containers.isolator(PRIMARY);
      const [a, b] = [await launch(before, { id: 'a' }), await launch(before, { id: 'b' })];
      for (const path of ['a', 'b']) cgroupAt(path).write('net_cls.classid', 0);
      const operators = hierarchy().cgroup('caisson-operator');
      operators.create();
      operators.write('net_cls.classid', 0x100002);
      try {
        const after = containers.isolator(PRIMARY, before);
        await after.call('recover', { containers: [a.container, b.container], orphans: [] });
        expect(['a', 'b'].map(classidAt)).toEqual([0x100001, 0x100003]);
        expect(after.log.lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
        expect(after.checkpoints.get('b')).toMatchObject({ classid: 0x100003 });
      } finally {
        operators.removeDirectory();
      }
    },
  );

  kernelTest('leaves nothing of a launch that was cut off', async () => {
    const before = containers.isolator(PRIMARY);
    const container = containers.host.container({ id: 'web' });
    await before.prepare(container);
    cgroupAt('web').write('net_cls.classid', 0); // killed before it was written
    const after = containers.isolator(PRIMARY, before);
    await after.call('recover', { containers: [], orphans: ['web'] });
    await after.call('cleanup', container);
    expect(hierarchy().cgroup(ROOT).exists()).toBe(false);
  });

  kernelTest('tells of a cgroup that is gone', async () => {
    const isolator = containers.isolator(PRIMARY);
    await isolator.call('recover', {
      containers: [containers.host.container({ id: 'lost' })],
      orphans: ['x'],
    });
    expect(isolator.log.lines[0]).toMatchObject({ level: 'warn', fields: { container: 'lost' } });
  });
});

describe('packets', () => {
  /** Sends as many datagrams to itself as a line says, and tells how many it got. */
  const ECHO = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 0))
s.settimeout(0.2)
print('ready', flush=True)
for line in sys.stdin:
    got = 0
    for _ in range(int(line)):
        try:
            s.sendto(b'x', s.getsockname())
            s.recv(1)
            got += 1
        except OSError: pass
    print('got', got, flush=True)
`;
  let network: GatedProcess;
  const inNetwork = (...command: string[]) => [
    'nsenter',
    `--net=/proc/${network.pid}/ns/net`,
    '--',
    ...command,
  ];
  const run = (...command: string[]): string => {
    const [program = '', ...rest] = inNetwork(...command);
    const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
    return stdout;
  };
  const counted = (): number[] =>
    [...run('iptables', '-L', 'OUTPUT', '-nvx').matchAll(/^ *(\d+) .*cgroup/gm)].map(([, count]) =>
      Number(count),
    );

  packetTest('are counted by class, and a class is cut off alone', async () => {
    // A network of the test's own, with a loopback and with iptables' tables: it is gone with its process.
    network = await GatedProcess.start([
      'unshare',
      '--net',
      'sh',
      '-c',
      'ip link set lo up; echo up; exec sleep 1000',
    ]);
    containers.processes.push(network);
    network.release();
    await network.output(/up/);
    const isolator = containers.isolator(PRIMARY);
    const echo = inNetwork('/usr/bin/python3', '-c', ECHO);
    const [one, other] = [
      await launch(isolator, { id: 'a' }, echo),
      await launch(isolator, { id: 'b' }, echo),
    ];
    for (const { process } of [one, other]) process.release();
    for (const { process } of [one, other]) await process.output(/ready/);
    for (const classid of ['0x00100001', '0x00100002'])
      run('iptables', '-A', 'OUTPUT', '-o', 'lo', '-p', 'udp', '-m', 'cgroup', '--cgroup', classid);

    one.process.send('7\n');
    await one.process.output(/got 7/);
    expect(counted()).toEqual([7, 0]);
    other.process.send('3\n');
    await other.process.output(/got 3/);
    expect(counted()).toEqual([7, 3]);

    run('iptables', '-A', 'OUTPUT', '-m', 'cgroup', '--cgroup', '0x00100001', '-j', 'DROP');
    one.process.send('4\n');
    other.process.send('4\n');
    await one.process.output(/got 0/);
    await other.process.output(/got 4/);
  });
});
