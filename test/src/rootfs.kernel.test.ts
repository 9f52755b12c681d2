import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MS, mount, umount } from '@caisson/linux/syscalls';
import { busyboxRootfs } from '@caisson/linux/testing';
import type { ContainerProcess } from '@caisson/plugin-sdk';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { flagsOf, parseMounts } from './mount-lines.js';
import { kernelTest, type RootfsSetup, useRootfs } from './rootfs-setup.js';

let { kit, rootfs } = {} as RootfsSetup;
useRootfs((setup) => {
  ({ kit, rootfs } = setup);
});

const inRootfs = async (script: string, config = {}) => {
  const outcome = await kit.shell(script, { rootfs, ...config });
  expect(outcome).toMatchObject({ error: undefined });
  return outcome;
};
/** Not readFileSync: /proc/kcore is as large as the kernel's address space. */
const holdsSomething = (path: string) => execFileSync('head', ['-c', '1', path]).length > 0;
const hostMounts = () => readFileSync('/proc/self/mountinfo', 'utf8');
const present = (paths: readonly string[]) => paths.filter((path) => existsSync(path));

const KERNEL = ['nosuid', 'nodev', 'noexec'];
const MASKED = [
  ...['acpi', 'asound', 'kcore', 'keys', 'key-users', 'latency_stats', 'sched_debug', 'scsi'],
  ...['timer_list', 'timer_stats'],
].map((name) => `/proc/${name}`);
const READ_ONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`);

describe('a container with a root filesystem', () => {
  kernelTest('sees its files and none of the host', async () => {
    const canary = join(kit.directory, 'canary');
    writeFileSync(canary, 'of the host');
    const { stdout } = await inRootfs(
      `ls / | tr '\\n' ' '; echo; cat /etc/group | head -1; cd /..; pwd; ls -d ${canary} ${kit.directory}; ls /proc/1/root/ | tr '\\n' ' '`,
    );
    const files = 'bin dev etc mnt proc root sys tmp var ';
    expect(stdout).toBe(`${files}\nroot:x:0:\n/\n${files}`);
  });

  kernelTest('has the mounts of the specification, with their flags, and no other', async () => {
    const { stdout } = await inRootfs('cat /proc/self/mounts');
    const listed = parseMounts(stdout).map(({ target, type, options }) => [
      target,
      type,
      ...flagsOf(options),
    ]);
    const [root] = listed.filter(([target]) => target === '/');
    const onDisk = root?.[1];
    const masks = present(MASKED).map((path) => [
      path,
      'tmpfs',
      'ro',
      'nosuid',
      // What covers a file is the null device: it has to be one.
      ...(statSync(path).isDirectory() ? ['nodev'] : []),
      'noexec',
    ]);
    const expected = [
      ['/', onDisk, 'rw', 'nodev'],
      ['/mnt/mesos/sandbox', onDisk, 'rw', 'nosuid', 'nodev'],
      ['/proc', 'proc', 'rw', ...KERNEL],
      ['/sys', 'sysfs', 'ro', ...KERNEL],
      ['/sys/fs/cgroup', 'tmpfs', 'rw', ...KERNEL],
      ['/dev', 'tmpfs', 'rw', 'nosuid', 'noexec'],
      ['/dev/pts', 'devpts', 'rw', 'nosuid', 'noexec'],
      ['/dev/shm', 'tmpfs', 'rw', 'nosuid', 'nodev'],
      ...masks,
      ...present(['/sys/firmware']).map((path) => [path, 'tmpfs', 'ro', ...KERNEL]),
      ...present(READ_ONLY).map((path) => [path, 'proc', 'ro', ...KERNEL]),
    ];
    expect(listed.map(String).sort()).toEqual(expected.map(String).sort());
  });

  kernelTest('cannot write what the kernel offers to uid 0', async () => {
    const writable = [
      ...['/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/proc/sys/vm/drop_caches'],
      ...['/proc/sysrq-trigger', '/proc/irq/default_smp_affinity', '/sys/kernel/uevent_helper'],
      ...['/sys/power/state', '/sys/kernel/profiling', '/sys/module/printk/parameters/time'],
    ];
    const files = present(writable);
    const { stdout } = await inRootfs(`for file in ${files.join(' ')}; do (: >> $file) 2>&1; done`);
    expect(files.length).toBeGreaterThanOrEqual(4);
    expect(stdout).toBe(files.map((file) => `sh: can't create ${file}: Read-only file system\n`).join(''));
  });

  kernelTest('reads nothing from masked paths', async () => {
    const paths = [...present(MASKED), ...present(['/sys/firmware'])];
    const { stdout } = await inRootfs(
      `for path in ${paths.join(' ')}; do if [ -d $path ]; then ls -A $path; else cat $path; fi; done`,
    );
    expect(stdout).toBe('');
    // The test means something only if there is something to see.
    expect(paths.some((path) => !statSync(path).isDirectory() && holdsSomething(path))).toBe(true);
  });

  kernelTest('has exactly six devices, which work for every user, and can make none', async () => {
    const { stdout } = await inRootfs(
      "cd /dev; find . -xdev ! -type d ! -type l -exec stat -c '%n %F %t:%T %a %u:%g' {} + | sort; " +
        'for link in fd stdin stdout stderr ptmx; do echo $link $(readlink $link); done; ls | wc -l; ' +
        'mknod null2 c 1 3 2>&1; mknod /mnt/mesos/sandbox/disk b 254 0 2>&1; true',
    );
    expect(stdout.split('\n')).toEqual([
      './full character special file 1:7 666 0:0',
      './null character special file 1:3 666 0:0',
      './random character special file 1:8 666 0:0',
      './tty character special file 5:0 666 0:0',
      './urandom character special file 1:9 666 0:0',
      './zero character special file 1:5 666 0:0',
      'fd /proc/self/fd',
      'stdin /proc/self/fd/0',
      'stdout /proc/self/fd/1',
      'stderr /proc/self/fd/2',
      'ptmx pts/ptmx',
      '13',
      'mknod: null2: Operation not permitted',
      'mknod: /mnt/mesos/sandbox/disk: Operation not permitted',
      '',
    ]);
    const used = await inRootfs(
      'head -c 3 /dev/zero | od -An -tx1; head -c 8 /dev/urandom | wc -c; head -c 8 /dev/random | wc -c; ' +
        'echo x > /dev/null;  echo piped | cat /dev/stdin; echo x > /dev/shm/x; ls /dev/shm; (echo x > /dev/full) 2>&1',
      { user: '1000:1000' },
    );
    expect(used.stdout).toBe(' 00 00 00\n8\n8\npiped\nx\nsh: write error: No space left on device\n');
  });

  kernelTest('has its sandbox inside, without set-user-ID programs or devices', async () => {
    const container = kit.container({
      argv: ['sh', '-c', 'pwd; cd $MESOS_SANDBOX; pwd; echo hello > file'],
      rootfs,
    });
    const process = await kit.fork(container);
    await endOf(process);
    expect(readFileSync(join(container.sandbox, 'stdout'), 'utf8')).toBe('/\n/mnt/mesos/sandbox\n');
    expect(readFileSync(join(container.sandbox, 'file'), 'utf8')).toBe('hello\n');
  });
});

async function endOf(process: ContainerProcess): Promise<void> {
  await process.release();
  await process.exited;
  process.close();
}

describe("the host's mount table", () => {
  const cases: [string, { rootfs?: boolean }][] = [
    ['with a root filesystem', { rootfs: true }],
    ['without one', {}],
  ];
  for (const [what, { rootfs: own }] of cases)
    kernelTest(`is byte for byte the same before, during and after: ${what}`, async () => {
      const before = hostMounts();
      const argv = ['sh', '-c', 'cat /proc/self/mounts; echo ready; sleep 100'];
      const container = kit.container({ argv, ...(own && { rootfs }) });
      const process = await kit.fork(container);
      expect(hostMounts()).toBe(before);
      await process.release();
      const output = join(container.sandbox, 'stdout');
      while (!readFileSync(output, 'utf8').endsWith('ready\n')) await sleep(1);
      expect(hostMounts()).toBe(before);
      await process.destroy();
      await process.exited;
      process.close();
      expect(hostMounts()).toBe(before);
    });
});

describe('a read-only root filesystem', () => {
  let readOnly = '';
  const mountReadOnly = (directory: string) => {
    mount({ source: directory, target: directory, flags: MS.MS_BIND });
    mount({ target: directory, flags: MS.MS_BIND | MS.MS_REMOUNT | MS.MS_RDONLY });
  };
  beforeAll(() => {
    if (kernelTest === test) readOnly = busyboxRootfs(join(kit.directory, 'read-only'));
  });

  kernelTest('fails clearly without a mount point for the sandbox', async () => {
    mountReadOnly(readOnly);
    try {
      const { error } = await kit.shell('true', { rootfs: readOnly });
      expect(error).toMatchObject({
        code: 'LAUNCH_STEP_FAILED',
        message: expect.stringMatching(/step mount-filesystems: mkdirat\(.*"mnt".*\): EROFS/),
      });
    } finally {
      umount(readOnly);
    }
    expect(readdirSync(readOnly)).not.toContain('mnt');
  });

  kernelTest('works with one, and stays read-only', async () => {
    mkdirSync(join(readOnly, 'mnt/mesos/sandbox'), { recursive: true });
    mountReadOnly(readOnly);
    try {
      const { stdout } = await kit.shell('touch /x /mnt/mesos/sandbox/y 2>&1; ls /mnt/mesos/sandbox', {
        rootfs: readOnly,
      });
      expect(stdout).toBe('touch: /x: Read-only file system\nstderr\nstdout\ny\n');
    } finally {
      umount(readOnly);
    }
  });
});

describe('a container without a root filesystem', () => {
  kernelTest("sees the host's files, starts in its sandbox, and cannot write the kernel's", async () => {
    const container = kit.container({
      argv: [
        'sh',
        '-c',
        'pwd; echo $MESOS_SANDBOX; for file in /proc/sys/kernel/core_pattern $(find /sys/fs/cgroup /sys/kernel -maxdepth 2 -type f -perm -200 | head -50); do (: >> $file) 2>/dev/null && echo wrote $file; done; cat /proc/keys; ls -A /sys/firmware',
      ],
    });
    await endOf(await kit.fork(container));
    expect(readFileSync(join(container.sandbox, 'stdout'), 'utf8')).toBe(
      `${container.sandbox}\n${container.sandbox}\n`,
    );
  });

  kernelTest('writes them if it is privileged', async () => {
    const script = '(: >> /proc/sys/kernel/core_pattern) && echo written; wc -c < /proc/keys';
    const { stdout } = await kit.shell(script, { privileged: true });
    expect(stdout).toMatch(/^written\n[1-9]/);
  });
});

describe('namespaces/pid', () => {
  kernelTest('the container is pid 1 and sees only its own processes', async () => {
    const { stdout } = await inRootfs('echo $$; cd /proc; echo [0-9]*; sleep 100 & echo [0-9]*');
    expect(stdout).toBe('1\n1\n1 2\n');
  });
  kernelTest('also without a root filesystem', async () => {
    const { stdout } = await kit.shell('echo $$; cd /proc; echo [0-9]*');
    expect(stdout).toBe('1\n1\n');
  });
  kernelTest("N15: with the host's /proc it would see the processes of the host", async () => {
    const script = `test -d /proc/${process.pid} && echo seen; true`;
    const withoutProc = (plan: { mounts: unknown[] }) => plan.mounts.splice(0);
    expect((await kit.shell(script, {}, withoutProc)).stdout).toBe('seen\n');
    expect((await kit.shell(script)).stdout).toBe('');
  });
});
