import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CallTable, Program } from '@caisson/linux/exec-stage';
import { AT_FDCWD, mknodat } from '@caisson/linux/syscalls';
import { busyboxRootfs, inMountNamespace, needs } from '@caisson/linux/testing';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { describe, expect } from '@jest/globals';
import { LaunchKit } from './launch-kit.js';
import { flagsOf, parseMounts } from './mount-lines.js';
import { kernelTest, type RootfsSetup, useRootfs } from './rootfs-setup.js';

/**
 * The rules F3, F5 and F8 of the threat model: devices, the kernel's files, other users of the host. Each test first
 * shows the attack with its guard off: by the path-based calls that others made, or by a plan without what the isolators add.
 */
let { kit, rootfs, outside } = {} as RootfsSetup;
useRootfs((setup) => {
  ({ kit, rootfs, outside } = setup);
});
const shell = (script: string, edit?: (plan: LaunchPlanData) => void) => kit.shell(script, { rootfs }, edit);
/** `opened` if the file can be opened for writing; nothing is written. */
const openForWriting = (path: string) => `{ true >> ${path}; } 2>&1 && echo opened`;
const refusal = (path: string) => `sh: can't create ${path}: Read-only file system\n`;

describe('F3: devices are ours, whatever the image has', () => {
  kernelTest('/dev/null of the image leads to a switch of the kernel (class of CVE-2025-31133)', async () => {
    const [null_, corePattern] = [join(rootfs, 'dev/null'), '/proc/sys/kernel/core_pattern'];
    symlinkSync(corePattern, null_);
    try {
      const maskedWithIt = inMountNamespace(
        ({ fs, syscalls: { mount, MS } }, { directory, source }) => {
          mount({ source: 'proc', target: `${directory}/proc`, type: 'proc' });
          mount({ source, target: `${directory}/proc/keys`, flags: MS.MS_BIND });
          fs.closeSync(fs.openSync(`${directory}/proc/keys`, 'a'));
          return fs.readFileSync(`${directory}/proc/keys`, 'utf8');
        },
        { directory: rootfs, source: null_ },
      );
      expect(maskedWithIt).toBe(readFileSync(corePattern, 'utf8'));
      const { stdout } = await shell(
        `cat /proc/keys; stat -c %t:%T /dev/null; ${openForWriting('/proc/sys/kernel/core_pattern')}; true`,
      );
      expect(stdout).toBe(`1:3\n${refusal(corePattern)}`);
    } finally {
      rmSync(null_);
    }
  });

  kernelTest('a device node elsewhere in the image', async () => {
    const node = join(rootfs, 'tmp/node');
    mknodat(AT_FDCWD, node, 0o020666, 0x105); // the zero device stands for a disk
    try {
      const read = 'head -c 3 /tmp/node 2>&1 | wc -c; head -c 3 /tmp/node 2>&1 >/dev/null';
      const unguarded = await shell(read, (plan) => {
        plan.privileged = true;
      });
      expect(unguarded.stdout).toBe('3\n');
      expect((await shell(read)).stdout).toMatch(/head: \/tmp\/node: Permission denied\n$/);
    } finally {
      rmSync(node);
    }
  });
});

describe('F5: masked and read-only paths', () => {
  const noCapabilities = (plan: LaunchPlanData) => {
    plan.capabilities = { effective: [], bounding: [] };
  };

  kernelTest('uid 0 without a single capability opens core_pattern for writing', async () => {
    const script = `grep CapEff /proc/self/status; ${openForWriting('/proc/sys/kernel/core_pattern')}; true`;
    const none = 'CapEff:\t0000000000000000\n';
    const unguarded = await shell(script, (plan) => {
      noCapabilities(plan);
      plan.readOnlyPaths = [];
    });
    expect(unguarded.stdout).toBe(`${none}opened\n`);
    expect((await shell(script, noCapabilities)).stdout).toBe(
      `${none}${refusal('/proc/sys/kernel/core_pattern')}`,
    );
  });

  kernelTest('what is masked can be read without the mask', async () => {
    const unguarded = await shell('cat /proc/keys', (plan) => {
      plan.maskedPaths = [];
    });
    expect(unguarded.stdout).not.toBe('');
    expect((await shell('cat /proc/keys')).stdout).toBe('');
  });

  const agents = ['freezer', 'systemd', 'memory', 'pids'].map(
    (name) => `/sys/fs/cgroup/${name}/release_agent`,
  );
  const agent = agents.find(existsSync);
  const releaseAgentTest = needs(kernelTest, {
    host: () => (agent ? undefined : 'no cgroup version 1 hierarchy is mounted below /sys/fs/cgroup'),
  });
  releaseAgentTest(
    'without a root filesystem: release_agent of cgroup version 1, a mount below /sys',
    async () => {
      const script = `${openForWriting(String(agent))}; true`;
      const unguarded = await kit.shell(script, {}, (plan) => {
        plan.readOnlyPaths = plan.readOnlyPaths.filter((path) => path !== '/sys');
      });
      expect(unguarded.stdout).toBe('opened\n');
      expect((await kit.shell(script)).stdout).toMatch(/Read-only file system\n$/);
    },
  );

  kernelTest('a path that is there and cannot be masked ends the launch', async () => {
    symlinkSync('loop', join(rootfs, 'loop'));
    try {
      const { error } = await shell('true', (plan) => {
        plan.maskedPaths.push('/loop');
      });
      expect(error?.message).toMatch(/step mask-paths: openat2\(.*"\/loop".*\): ELOOP/);
    } finally {
      rmSync(join(rootfs, 'loop'));
    }
  });

  kernelTest('a read-only path keeps nosuid, nodev and noexec, which a remount loses', async () => {
    const options = (mounts: string, target: string) =>
      flagsOf(parseMounts(mounts).findLast((line) => line.target === target)?.options ?? []);
    const target = join(rootfs, 'proc');
    const remounted = inMountNamespace(({ fs, syscalls: { mount, MS } }, target) => {
      const flags = MS.MS_NOSUID | MS.MS_NODEV | MS.MS_NOEXEC;
      mount({ source: 'proc', target, type: 'proc', flags });
      mount({ source: `${target}/sys`, target: `${target}/sys`, flags: MS.MS_BIND });
      mount({ target: `${target}/sys`, flags: MS.MS_BIND | MS.MS_REMOUNT | MS.MS_RDONLY });
      return fs.readFileSync('/proc/self/mounts', 'utf8');
    }, target);
    expect(options(remounted, `${target}/sys`)).toEqual(['ro']);
    const { stdout } = await shell('cat /proc/self/mounts');
    expect(options(stdout, '/proc/sys')).toEqual(['ro', 'nosuid', 'nodev', 'noexec']);
  });
});

describe('F8: other users of the host', () => {
  /** A program that can read the secret if it is run as root. */
  function reader(secret: string): Buffer {
    const table = new CallTable();
    table.call('openat', [AT_FDCWD, table.string(secret), 0, 0]);
    table.call('exit_group', [0]);
    return new Program(table).fill();
  }
  const asNobody = (program: string) => spawnSync(program, { uid: 65534, gid: 65534 });

  kernelTest(
    'execute what a container has made set-user-ID in a root filesystem (class of CVE-2021-41103)',
    async () => {
      const guard = mkdtempSync(join(tmpdir(), 'caisson-open-'));
      const secret = join(kit.directory, 'secret');
      writeFileSync(secret, '', { mode: 0o600 });
      const image = busyboxRootfs(join(guard, 'rootfs'));
      writeFileSync(join(image, 'bin/read'), reader(secret), { mode: 0o755 });
      try {
        expect(asNobody(join(image, 'bin/read')).status).not.toBe(0);
        chmodSync(guard, 0o755);
        expect((await kit.shell('chmod 4755 /bin/read', { rootfs: image })).exitCode).toBe(0);
        expect(asNobody(join(image, 'bin/read')).status).toBe(0);
        chmodSync(guard, 0o700);
        expect(asNobody(join(image, 'bin/read')).error).toMatchObject({ code: 'EACCES' });
      } finally {
        rmSync(guard, { recursive: true });
      }
    },
  );

  kernelTest('are kept out where the operator refuses such a root filesystem', async () => {
    const guard = mkdtempSync(join(tmpdir(), 'caisson-open-'));
    const strict = await LaunchKit.create({ options: { 'filesystem/linux': { reachableRootfs: 'refuse' } } });
    const image = busyboxRootfs(join(guard, 'rootfs'));
    try {
      expect((await strict.shell('true', { rootfs: image })).error).toBeUndefined();
      chmodSync(guard, 0o755);
      expect((await strict.shell('true', { rootfs: image })).error).toMatchObject({
        code: 'ROOTFS_REACHABLE',
      });
    } finally {
      strict.close();
      rmSync(guard, { recursive: true });
    }
  });

  const traps: Record<string, (path: string, canary: string) => void> = {
    'a link': (path, canary) => symlinkSync(canary, path),
    'a second name': (path, canary) => linkSync(canary, path),
  };
  for (const [what, plant] of Object.entries(traps))
    kernelTest(`stdout of an earlier container is ${what} of a file of the host`, async () => {
      const canary = join(outside, 'canary');
      const container = kit.container({ argv: ['sh', '-c', 'echo attack'], rootfs });
      const stdout = join(container.sandbox, 'stdout');
      plant(stdout, canary);
      try {
        writeFileSync(stdout, 'attack\n', { flag: 'a' });
        expect(readFileSync(canary, 'utf8')).toContain('attack');
        writeFileSync(canary, 'of the host\n');
        await expect(kit.fork(container)).rejects.toMatchObject({ code: 'SANDBOX_FILE_REFUSED' });
        expect(readFileSync(canary, 'utf8')).toBe('of the host\n');
      } finally {
        rmSync(stdout);
      }
    });

  kernelTest('stdout of an earlier container is a FIFO: the agent is not blocked', async () => {
    const container = kit.container({ argv: ['true'], rootfs });
    const stdout = join(container.sandbox, 'stdout');
    spawnSync('mkfifo', [stdout]);
    expect(spawnSync('sh', ['-c', 'echo x > "$1"', 'sh', stdout], { timeout: 200 }).error).toMatchObject({
      code: 'ETIMEDOUT',
    });
    await expect(kit.fork(container)).rejects.toMatchObject({ code: 'SANDBOX_FILE_REFUSED' });
  });
});
