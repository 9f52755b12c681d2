/**
 * Every isolator of ours that excludes no other, all at once, with containers that use each: an agent with 100 of them is killed
 * twice, and nothing is lost, mixed up or left.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cgroups } from '@caisson/linux/cgroups';
import { umount } from '@caisson/linux/syscalls';
import { busyboxRootfs, needs, reapOrphansMeanwhile, withCensus } from '@caisson/linux/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { wire } from './agent/api.js';
import { RealAgent } from './agent/real-agent.js';
import { Folder, repository } from './caisson.js';

const CONTAINERS = 100;
const AT_ONCE = 8;
const MIB = 2 ** 20;

/** They exclude `filesystem/linux`. */
const LEFT_OUT = ['filesystem/posix', 'filesystem/shared'];
const kernelHas = (controller: string) =>
  new RegExp(`^${controller}\\t\\d+\\t\\d+\\t1$`, 'm').test(readFileSync('/proc/cgroups', 'utf8'));

/** What the packages of this repository bring, so that a new one is part of this. */
function isolatorsOfOurs(): string[] {
  const packages = readdirSync(join(repository, 'plugins'), { withFileTypes: true }).filter((each) =>
    each.isDirectory(),
  );
  const manifests = packages.map(({ name }) =>
    JSON.parse(readFileSync(join(repository, 'plugins', name, 'package.json'), 'utf8')),
  );
  // Of several names the first; the others are aliases.
  return manifests
    .flatMap(({ caisson }): string[] => caisson.isolators?.slice(0, 1) ?? [])
    .filter((name) => !LEFT_OUT.includes(name))
    .filter((name) => name !== 'cgroups/net_cls' || kernelHas('net_cls'));
}

const test = needs(it, { root: true, busybox: true, programs: ['du'] });
const isRun = test === it;
const isolation = isRun ? isolatorsOfOurs() : [];
const hasNetCls = isolation.includes('cgroups/net_cls');
const folder = new Folder({
  launcher: 'linux',
  isolation,
  options: {
    'posix/disk': { enforceQuota: true, watchInterval: '2secs' },
    ...(hasNetCls && { 'cgroups/net_cls': { primaryHandle: 0x20 } }),
  },
});
const agent = new RealAgent(folder);
const { api } = agent;
const cgroups = new Cgroups();
let unmountNetCls = false;
let stopReaping = () => {};

beforeAll(async () => {
  if (!isRun) return;
  // Mounted once, as a host has it mounted, so that the test leaves the mount table as it was.
  unmountNetCls = hasNetCls && cgroups.find('net_cls') === undefined;
  if (hasNetCls) cgroups.ensure('net_cls');
  makeFiles();
  await agent.start().then(() => agent.stop());
  stopReaping = reapOrphansMeanwhile();
});
afterAll(() => {
  stopReaping();
  api.close();
  const mountPoint = unmountNetCls ? cgroups.find('net_cls')?.mountPoint : undefined;
  cgroups.close();
  if (mountPoint) umount(mountPoint);
  folder.remove();
});

const rootfs = join(folder.path, 'rootfs');
const shared = join(folder.path, 'shared');
const disk = join(folder.path, 'disk');
const volumeOf = (index: number) => join(disk, 'volumes/roles/*', `v${index}`);

/** What containers are given, and what stays. */
function makeFiles(): void {
  busyboxRootfs(rootfs);
  mkdirSync(shared);
  writeFileSync(join(shared, 'name'), 'shared by all\n');
  for (let index = 0; index < CONTAINERS; index += 1) mkdirSync(volumeOf(index), { recursive: true });
}

/** Uses each isolator; which number it has can be told from its disk quota and from what is in its volumes. */
const configOf = (index: number) => ({
  argv: ['sh', '-c', 'cat host/name > /own/name && echo $$ > mem/pid && cp mem/pid data && exec sleep 1000'],
  rootfs,
  workingDirectory: '/mnt/mesos/sandbox',
  resources: {
    cpus: 0.1,
    mem: 32,
    pids: 20,
    disk: 8 + index,
    volumes: [
      {
        disk: 4,
        persistence: { id: `v${index}` },
        volume: { containerPath: 'data', mode: 'RW' },
        source: { type: 'PATH', root: disk },
      },
    ],
  },
  volumes: [
    { containerPath: 'host', mode: 'RO', source: { type: 'HOST_PATH', path: shared } },
    { containerPath: '/own', mode: 'RW', source: { type: 'SANDBOX_PATH', of: 'SELF', path: `own-${index}` } },
    { containerPath: 'mem', mode: 'RW', source: { type: 'TMPFS', limitBytes: MIB } },
  ],
  rlimits: { NOFILE: { soft: 64, hard: 64 } },
  capabilities: { effective: ['CHOWN'] },
});

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');

interface Details {
  readonly container_id: { readonly value: string };
  readonly state: string;
  readonly container_status: { readonly cgroup_info?: { readonly net_cls: { readonly classid: number } } };
  readonly resource_statistics: Record<string, unknown>;
}

async function listed(): Promise<Details[]> {
  const { body } = await api.call('GET_CONTAINERS');
  return (body.containers ?? []) as unknown as Details[];
}

/** All that were launched run, with the figures of every isolator, and with a class that no other has. */
async function check(count: number): Promise<void> {
  const all = await listed();
  expect(all.map(({ container_id, state }) => `${container_id.value} ${state}`).sort()).toEqual(
    Array.from({ length: count }, (_, index) => `c${index} RUNNING`).sort(),
  );
  for (const { container_id, resource_statistics } of all) {
    const index = Number(container_id.value.slice(1));
    expect(resource_statistics).toMatchObject({
      cpus_soft_limit: 0.1,
      cpus_user_time_secs: expect.any(Number),
      mem_limit_bytes: 32 * MIB,
      mem_rss_bytes: expect.any(Number),
      pids_limit: 20,
      pids_current: expect.any(Number),
      disk_limit_bytes: (8 + index) * MIB,
      disk_statistics: [
        {
          limit_bytes: 4 * MIB,
          persistence: { id: `v${index}` },
          source: { type: 'PATH', path: { root: disk } },
        },
        { limit_bytes: (8 + index) * MIB },
      ],
    });
  }
  const classes = all.map(({ container_status }) => container_status.cgroup_info?.net_cls.classid);
  expect(new Set(classes).size).toBe(hasNetCls ? count : 1);
}

describe('all isolators together', () => {
  afterEach(() => agent.tidy()); // before the census
  withCensus({ directories: folder.directories, reapOrphans: true });

  test(`${CONTAINERS} containers, the agent killed and restarted twice: all as before, and at the end nothing`, async () => {
    const launch = async (index: number) => {
      const answer = await api.call('LAUNCH_CONTAINER', {
        container_id: wire(`c${index}`),
        config: configOf(index),
      });
      expect(answer).toEqual({ status: 200, body: {} });
    };
    const launchAll = async (from: number, to: number) => {
      let next = from;
      const one = async () => {
        while (next < to) await launch(next++);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
    };

    await agent.start();
    await launchAll(0, CONTAINERS / 2);
    await agent.stop('SIGKILL');
    await agent.start();
    await check(CONTAINERS / 2);
    await launchAll(CONTAINERS / 2, CONTAINERS);
    await agent.stop('SIGKILL');
    await agent.start();
    await check(CONTAINERS);
    for (let index = 0; index < CONTAINERS; index += 1) {
      // The last thing that it writes.
      while (read(join(volumeOf(index), 'pid')) !== '1\n') await sleep(5);
      const own = join(folder.directories[0]!, 'containers', `c${index}`, 'sandbox', `own-${index}`, 'name');
      expect(read(own)).toBe('shared by all\n');
    }
    await agent.removeAll();
    expect(await listed()).toEqual([]);
    expect(await agent.stop()).toMatchObject({ status: 0 });
  });
});
