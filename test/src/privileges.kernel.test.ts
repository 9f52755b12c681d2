/** linux/nnp, linux/capabilities, posix/rlimits: what the kernel says of a container's process. */
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, withCensus } from '@caisson/linux/testing';
import type { ContainerConfig } from '@caisson/plugin-sdk';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Containers, type ContainersOptions } from './containers.js';

const kernelTest = needs(test, { root: true });
const canRun = kernelTest === test;

withCensus();

const openOnes: Containers[] = [];
afterAll(async () => {
  for (const each of openOnes) await each.close();
});

/** By whichever of the isolators it is. */
const REFUSED: Partial<ContainerConfig> = {
  noNewPrivileges: false,
  capabilities: { effective: ['SYS_ADMIN'] },
  rlimits: { NPROC: { soft: 2, hard: 1 } },
};

/** One launch first, and one that fails: what is opened on first use would look like a leak of the test. */
async function containersWith(
  isolators: readonly string[],
  more: Partial<ContainersOptions> = {},
): Promise<Containers> {
  const containers = await Containers.open({
    isolation: ['filesystem/linux', 'namespaces/pid', ...isolators],
    ...more,
  });
  openOnes.push(containers);
  await containers.run('true');
  await containers.run('true', REFUSED).catch(() => {});
  return containers;
}

/** `Name: value` of the container's own /proc/self/status. */
async function statusOf(containers: Containers, field: string, config: Partial<ContainerConfig> = {}) {
  const { stdout } = await containers.run(`grep -E '^(${field}):' /proc/self/status`, config);
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(':\t')),
  );
}

describe('linux/nnp', () => {
  let without: Containers;
  let containers: Containers;
  let program: string;
  beforeAll(async () => {
    if (!canRun) return;
    without = await containersWith([]);
    containers = await containersWith(['linux/nnp']);
    program = join(containers.directory, 'id');
    copyFileSync('/usr/bin/id', program);
    chmodSync(program, 0o4755);
  });

  kernelTest('the flag is set, for root, for a user, and for what they start', async () => {
    for (const config of [{}, { user: '65534:65534' }, { privileged: true }])
      expect(await statusOf(containers, 'NoNewPrivs', config)).toEqual({ NoNewPrivs: '1' });
  });

  kernelTest('a set-user-ID program is root without the flag, and not with it', async () => {
    const asUser = { user: '65534:65534' };
    const open = await without.run(`${program} -u`, { ...asUser, noNewPrivileges: false });
    expect(open.stdout).toBe('0\n');
    expect((await containers.run(`${program} -u`, asUser)).stdout).toBe('65534\n');
  });

  kernelTest('a container that asks for the contrary is refused, and leaves nothing', async () => {
    await expect(containers.start('true', { noNewPrivileges: false }, 'web')).rejects.toMatchObject({
      code: 'NEW_PRIVILEGES_DISALLOWED',
      kind: 'denied',
      message: expect.stringMatching(/^linux\/nnp failed in prepare of container web/),
    });
    expect(containers.core.list()).toEqual([]);
  });
});

const CAPABILITY_SETS = 'Cap...';
const [CHOWN, KILL, NET_RAW] = [1n << 0n, 1n << 5n, 1n << 13n];
const hex = (bits: bigint) => bits.toString(16).padStart(16, '0');

describe('linux/capabilities', () => {
  let containers: Containers;
  let bounded: Containers;
  let without: Containers;
  let sharingPids: Containers;
  beforeAll(async () => {
    if (!canRun) return;
    bounded = await containersWith(['linux/capabilities'], {
      options: { 'linux/capabilities': { bounding: ['CHOWN', 'NET_RAW'] } },
    });
    without = await containersWith([]);
    sharingPids = await containersWith([], {
      isolation: ['filesystem/linux', 'linux/capabilities'],
      options: { 'linux/capabilities': { bounding: ['CHOWN'] } },
    });
    containers = await containersWith(['linux/capabilities'], {
      flags: {
        allowed_capabilities: '{"capabilities":["CHOWN"]}',
        bounding_capabilities: '{"capabilities":["CHOWN","KILL"]}',
      },
    });
  });

  kernelTest("the operator's sets are those of a container that asks for nothing", async () => {
    const chown = hex(CHOWN);
    const sets = { CapInh: chown, CapPrm: chown, CapEff: chown, CapBnd: hex(CHOWN | KILL), CapAmb: chown };
    expect(await statusOf(containers, CAPABILITY_SETS)).toEqual(sets);
    expect(await statusOf(containers, CAPABILITY_SETS, { user: '65534:65534' })).toEqual(sets);
  });

  kernelTest('less may be asked for, more is refused', async () => {
    const none = hex(0n);
    expect(
      await statusOf(containers, CAPABILITY_SETS, { capabilities: { effective: [], bounding: [] } }),
    ).toEqual({
      CapInh: none,
      CapPrm: none,
      CapEff: none,
      CapBnd: none,
      CapAmb: none,
    });
    for (const config of [{ capabilities: { effective: ['NET_RAW'] } }, { privileged: true }])
      await expect(containers.start('true', config, 'web')).rejects.toMatchObject({
        code: 'CAPABILITIES_NOT_ALLOWED',
        kind: 'denied',
        message: expect.stringContaining('the operator allows CHOWN, KILL'),
      });
  });

  kernelTest('only a bounding set: root has all of it, another user nothing', async () => {
    const both = hex(CHOWN | NET_RAW);
    expect(await statusOf(bounded, 'Cap(Eff|Bnd|Amb)')).toEqual({
      CapEff: both,
      CapBnd: both,
      CapAmb: hex(0n),
    });
    expect(await statusOf(bounded, 'Cap(Eff|Bnd)', { user: '65534:65534' })).toEqual({
      CapEff: hex(0n),
      CapBnd: both,
    });
  });

  kernelTest('what is asked for by name holds without the isolator too', async () => {
    const kill = hex(KILL);
    expect(await statusOf(without, 'Cap(Eff|Bnd)', { capabilities: { effective: ['KILL'] } })).toEqual({
      CapEff: kill,
      CapBnd: kill,
    });
  });

  kernelTest('a nested container is bound as its parent is', async () => {
    await sharingPids.start('exec sleep 60', {}, 'web');
    const { id, sandbox } = await sharingPids.start('grep CapBnd /proc/self/status', {}, 'web.job');
    await sharingPids.core.wait(id);
    expect(readFileSync(join(sandbox, 'stdout'), 'utf8')).toBe(`CapBnd:\t${hex(CHOWN)}\n`);
    const more = sharingPids.start('true', { capabilities: { effective: ['NET_RAW'] } }, 'web.more');
    await expect(more).rejects.toMatchObject({ code: 'CAPABILITIES_NOT_ALLOWED' });
    await sharingPids.endAll();
  });
});

describe('posix/rlimits', () => {
  let containers: Containers;
  beforeAll(async () => {
    if (!canRun) return;
    containers = await containersWith(['posix/rlimits'], {
      options: {
        'posix/rlimits': {
          defaults: { NOFILE: { soft: 100, hard: 200 } },
          maximum: { NOFILE: 300, CPU: 3600, CORE: 4096 },
        },
      },
    });
  });
  const limits = async (config: Partial<ContainerConfig> = {}) => {
    const { stdout } = await containers.run('cat /proc/self/limits', config);
    const value = (name: string) =>
      new RegExp(`^${name} +(\\S+) +(\\S+)`, 'm').exec(stdout)?.slice(1).join(' ');
    return { files: value('Max open files'), cpu: value('Max cpu time'), core: value('Max core file size') };
  };

  kernelTest('defaults and maximum are those of a container that asks for nothing', async () => {
    expect(await limits()).toEqual({ files: '100 200', cpu: '3600 3600', core: '0 0' });
  });

  kernelTest('what is asked for within the maximum is given', async () => {
    const rlimits = { NOFILE: { soft: 300, hard: 300 }, CORE: { soft: 0, hard: 4096 } };
    expect(await limits({ rlimits })).toEqual({ files: '300 300', cpu: '3600 3600', core: '0 4096' });
  });

  kernelTest('a limit that the kernel would refuse is refused at launch, and leaves nothing', async () => {
    const cases: [ContainerConfig['rlimits'], object][] = [
      [{ NOFILE: { soft: 301, hard: 301 } }, { code: 'RLIMITS_ABOVE_MAXIMUM', kind: 'denied' }],
      [{ NPROC: { soft: 2, hard: 1 } }, { code: 'RLIMITS_INVALID', kind: 'invalid' }],
      [{ NOFILE: { soft: 1, hard: 'unlimited' } }, { code: 'RLIMITS_INVALID' }],
    ];
    for (const [rlimits, error] of cases)
      await expect(containers.start('true', { rlimits }, 'web')).rejects.toMatchObject(error);
    expect(containers.core.list()).toEqual([]);
  });
});
