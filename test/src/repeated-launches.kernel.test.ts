/**
 * From the second launch on, another process makes a container than the first time, ahead and without the host's tree (the fork server
 * of launcher-linux). It must be the same container. Tests of single launches switch that off.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMountinfo, readStat } from '@caisson/linux/proc';
import { busyboxRootfs, needs, withCensus } from '@caisson/linux/testing';
import type { ContainerConfig } from '@caisson/plugin-sdk';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Containers, newDirectory } from './containers.js';

const kernelTest = needs(test, { root: true, busybox: true });
const LAUNCHES = 5;

/** What the container has, and how its attempts to get at the host or the kernel end. */
const PROBE = [
  // Without what is of this very launch: numbers of mounts and of peer groups.
  'cut -d" " -f4- /proc/self/mountinfo | sed -E "s/(shared|master):[0-9]+//" | sort',
  'grep -E "^(Cap|NoNew|Sig[BI]|Groups|Uid|NSsid)" /proc/self/status; ulimit -a; umask; pwd; env | grep -v "^MESOS_SANDBOX" | sort',
  'for path in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/profiling /proc/acpi/x /sys/firmware/x; do',
  '  { echo x > $path; } 2>/dev/null && echo "wrote $path"; done',
  'for path in /proc/acpi /proc/scsi /sys/firmware; do ls -A $path 2>/dev/null; done; wc -c < /proc/keys',
  'ls -l /dev | cut -c1-40; ls -l /proc/self/fd 2>/dev/null | grep -c -- "->"; cat /proc/self/oom_score_adj',
].join('\n');

describe('a launch that repeats makes the same container', () => {
  let directory = '';
  let rootfs = '';
  withCensus();
  if (kernelTest !== test) return;
  const open = () =>
    Containers.open({
      isolation: ['filesystem/linux', 'namespaces/pid', 'volume/host_path'],
      options: { 'launcher/linux': { forkServer: true } },
    });
  beforeAll(async () => {
    directory = newDirectory();
    rootfs = busyboxRootfs(join(directory, 'rootfs'));
    const containers = await open();
    await containers.run('true', { rootfs });
    await containers.close();
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const volume = (containerPath: string): Pick<ContainerConfig, 'volumes'> => ({
    volumes: [{ containerPath, mode: 'RO', source: { type: 'HOST_PATH', path: directory } }] as never,
  });
  const kinds: [what: string, config: () => Partial<ContainerConfig>][] = [
    ['with a root filesystem', () => ({ rootfs })],
    ['with a volume in its /dev', () => ({ rootfs, ...volume('/dev/bound') })],
    ['with a volume elsewhere', () => ({ rootfs, ...volume('/mnt/bound') })],
    ['with the files of the host', () => ({})],
  ];
  kernelTest.each(kinds)('%s', async (_, configOf) => {
    const config = configOf();
    const containers = await open();
    try {
      const seen = [];
      for (let count = 0; count < LAUNCHES; count++) {
        const { id, pid } = await containers.start(`${PROBE}\nexec sleep 1000`, config);
        const supervisor = readStat(pid)?.ppid ?? 0;
        const forked = readMountinfo(supervisor).length === 1;
        await containers.core.destroy(id);
        await containers.core.remove(id);
        const { stdout, stderr, exitCode } = await containers.run(PROBE, config);
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
        seen.push({ forked, stdout: stdout.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'its id') });
        await sleep(10); // a quiet moment is what the next launch is prepared in
      }
      const [first, ...others] = seen;
      expect(first?.forked).toBe(false);
      expect(first?.stdout).not.toContain('wrote ');
      expect(others.map(({ forked }) => forked)).toEqual(others.map(() => true));
      for (const { stdout } of others) expect(stdout.split('\n')).toEqual(first?.stdout.split('\n'));
    } finally {
      await containers.close();
    }
  });
});
