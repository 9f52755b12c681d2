import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CallTable, Program } from '@caisson/linux/exec-stage';
import { namespaceOf, readMountinfo, readStat } from '@caisson/linux/proc';
import { capabilityBits, capabilityNumber, RLIMITS } from '@caisson/linux/syscalls';
import { clearFailpoints, setFailpoint } from '@caisson/plugin-sdk/failpoint';
import { afterEach, describe, expect } from '@jest/globals';
import { DEFAULT_CAPABILITIES } from './capabilities.js';
import { startAgent } from './testing/agent.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';
import { hostPlan } from './testing/standard-plan.js';

const kit = useLaunchKit({ reapOrphans: true });
const user = { uid: 1000, gid: 1001, supplementaryGids: [10, 20] };
const [SIGHUP, SIGTERM, SIGKILL] = [1, 15, 9];

/** A field of /proc/self/status of the command. */
const fieldOf = (status: string, name: string): string =>
  new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? 'absent';
const status = async (edit?: Parameters<typeof kit.plan>[1], steps?: Parameters<typeof kit.run>[2]) =>
  (await kit.run(['cat', '/proc/self/status'], edit, steps)).stdout;

describe('the first process', () => {
  kernelTest('is pid 1, and sees the processes of its container alone', async () => {
    const { exitCode, stdout } = await kit.run('echo $$; echo /proc/[0-9]*');
    expect(stdout).toBe('1\n/proc/1\n');
    expect(exitCode).toBe(0);
  });

  kernelTest('has the namespaces of its plan, and those of the agent otherwise', async () => {
    const launched = await kit.start('sleep 1000');
    const differs = (kind: 'mnt' | 'pid' | 'net' | 'ipc' | 'uts') =>
      namespaceOf(launched.process.pid, kind) !== namespaceOf('self', kind);
    expect((['mnt', 'pid', 'net', 'ipc', 'uts'] as const).map(differs)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  kernelTest('sees no file of the host, and the mounts of its plan alone', async () => {
    const { stdout } = await kit.run("cut -d ' ' -f 2,3 /proc/self/mounts; ls /");
    expect(stdout.split('\n').filter((line) => line.includes(' '))).toEqual([
      expect.stringMatching(/^\/ /),
      '/proc proc',
      '/sys sysfs',
      '/dev tmpfs',
      '/dev/pts devpts',
      '/proc/cpuinfo tmpfs',
      ...(stdout.includes('/sys/firmware') ? ['/sys/firmware tmpfs'] : []),
      '/proc/sys proc',
    ]);
    expect(stdout).not.toContain('caisson');
  });

  kernelTest('mounts nothing in the namespace of the host', async () => {
    const before = readMountinfo();
    await kit.start('sleep 1000');
    expect(readMountinfo()).toEqual(before);
  });
});

describe('the end', () => {
  const rawStatus = async (command: string | string[], signal?: number) => {
    const launched = await kit.start(command);
    if (signal !== undefined) {
      await launched.output(/ready/);
      expect(launched.process.signal(signal)).toBe(true);
    }
    const raw = await launched.process.exited;
    expect(launched.process.signal(SIGTERM)).toBe(false);
    return raw;
  };

  kernelTest('is told as wait(2) does: exit codes', async () => {
    expect(await rawStatus('exit 0')).toBe(0);
    expect(await rawStatus('exit 7')).toBe(7 << 8);
    expect(await rawStatus('exit 255')).toBe(255 << 8);
  });

  kernelTest('is told as wait(2) does: signals', async () => {
    expect(await rawStatus('echo ready; sleep 1000', SIGKILL)).toBe(SIGKILL);
    expect(await rawStatus('trap "exit 5" TERM; echo ready; while :; do sleep 0.01; done', SIGTERM)).toBe(
      5 << 8,
    );
  });

  kernelTest('in the pid namespace of the agent, where signals have their default effect', async () => {
    const launched = await kit.fork(hostPlan(['sleep', '1000']));
    await launched.release();
    expect(launched.process.signal(SIGHUP)).toBe(true);
    expect(await launched.process.exited).toBe(SIGHUP);
  });

  kernelTest('comes at once for what it left behind, in whatever session', async () => {
    const marker = join(kit.directory, 'left-behind');
    const script = `for i in 1 2 3; do setsid sh -c 'trap "" TERM HUP; echo $$ >> ${marker}; sleep 1000' & done;
      while [ "$(wc -l < ${marker} 2>/dev/null)" != 3 ]; do sleep 0.01; done; exit 4`;
    const { exitCode } = await kit.run(hostPlan(script, { environment: { PATH: '/bin:/usr/bin' } }));
    expect(exitCode).toBe(4);
    const pids = readFileSync(marker, 'utf8').trim().split('\n');
    rmSync(marker);
    // Gone, or a zombie of ours: this process inherits orphans.
    for (const pid of pids) expect(['Z', undefined]).toContain(readStat(Number(pid))?.state);
  });
});

describe('standard streams', () => {
  kernelTest('files: the sandbox, and nothing to read', async () => {
    const { stdout, stderr } = await kit.run('cat; echo out; echo err >&2');
    expect([stdout, stderr]).toEqual(['out\n', 'err\n']);
  });

  kernelTest('files: belong to the user, who can open them again', async () => {
    const container = kit.container();
    const launched = await kit.fork(
      kit.plan('echo one; echo two > /proc/self/fd/1; echo three >> /proc/self/fd/2', { user }),
      undefined,
      container,
    );
    await launched.release();
    expect(await launched.end()).toMatchObject({ exitCode: 0, stderr: 'three\n' });
    expect(statSync(join(container.sandbox, 'stdout'))).toMatchObject({ uid: 1000, gid: 1001 });
  });

  kernelTest('inherit: those of the agent', async () => {
    const plan = kit.plan('read line; echo "from the container, read: $?"; sleep 1000', { stdio: 'inherit' });
    const agent = await startAgent({ containers: [kit.container()], plan, until: 'running' });
    await agent.output(/from the container, read: 1/);
    await agent.kill();
    const [container] = agent.launched.map((launched) => kit.adopt(launched));
    await container?.process.destroy();
  });
});

describe('user and groups', () => {
  kernelTest('as resolved, with exactly these groups', async () => {
    const text = await status({ user, supplementaryGids: [30] });
    expect(fieldOf(text, 'Uid')).toBe('1000\t1000\t1000\t1000');
    expect(fieldOf(text, 'Gid')).toBe('1001\t1001\t1001\t1001');
    expect(fieldOf(text, 'Groups')).toBe('10 20 30');
  });

  kernelTest('root, without a group of the agent', async () => {
    expect(fieldOf(await status(), 'Groups')).toBe('');
  });
});

describe('capabilities', () => {
  const SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
  const sets = async (edit: Parameters<typeof kit.plan>[1], steps?: Parameters<typeof kit.run>[2]) => {
    const text = await status(edit, steps);
    return SETS.map((name) => BigInt(`0x${fieldOf(text, name)}`));
  };
  const bits = (...names: string[]) => capabilityBits(names.map((name) => capabilityNumber(name) as number));
  const DEFAULTS = bits(...DEFAULT_CAPABILITIES);

  kernelTest('root: the default set, bounded; nothing inheritable or ambient', async () => {
    expect(await sets({})).toEqual([0n, DEFAULTS, DEFAULTS, DEFAULTS, 0n]);
  });

  kernelTest('another user: none', async () => {
    expect(await sets({ user })).toEqual([0n, 0n, 0n, DEFAULTS, 0n]);
  });

  kernelTest('asked for by name: for another user too, across exec', async () => {
    const [asked, bounded] = [bits('NET_ADMIN'), bits('NET_ADMIN', 'CHOWN')];
    const capabilities = { effective: ['NET_ADMIN'], bounding: ['NET_ADMIN', 'CHOWN'] };
    expect(await sets({ user, capabilities })).toEqual([asked, asked, asked, bounded, asked]);
    expect(await sets({ capabilities })).toEqual([asked, asked, asked, bounded, asked]);
  });

  kernelTest('root without any', async () => {
    expect(await sets({ capabilities: { effective: [], bounding: [] } })).toEqual([0n, 0n, 0n, 0n, 0n]);
    const bounded = { effective: [], bounding: ['CHOWN'] };
    expect(await sets({ capabilities: bounded })).toEqual([0n, 0n, 0n, bits('CHOWN'), 0n]);
  });

  kernelTest('privileged: all that the agent has', async () => {
    const own = BigInt(`0x${fieldOf(readFileSync('/proc/self/status', 'utf8'), 'CapPrm')}`);
    expect(await sets({ privileged: true })).toEqual([0n, own, own, own, 0n]);
  });
});

describe('limits and places', () => {
  kernelTest('rlimits as planned', async () => {
    const rlimits = { NOFILE: { soft: 77, hard: 99 }, FSIZE: { soft: 1024, hard: 'unlimited' } } as const;
    const { stdout } = await kit.run(['cat', '/proc/self/limits'], { rlimits });
    expect(stdout).toMatch(/^Max open files +77 +99 /m);
    expect(stdout).toMatch(/^Max file size +1024 +unlimited /m);
    expect(Object.keys(RLIMITS)).toHaveLength(16);
  });

  kernelTest('a limit that cannot be is the failure of its step', async () => {
    const rlimits = { NOFILE: { soft: 99, hard: 77 } };
    await expect(kit.run('true', { rlimits })).rejects.toMatchObject({
      code: 'LAUNCH_STEP_FAILED',
      message: expect.stringMatching(/step set-limits: prlimit64\(.*EINVAL/),
      hint: 'the soft limit is above the hard one',
    });
  });

  kernelTest(
    'masked files are empty, masked folders too, read-only paths are not written to (F5)',
    async () => {
      const { stdout } = await kit.run(
        `wc -c < /proc/cpuinfo; ls -A /sys/firmware 2>/dev/null | wc -l; touch /sys/firmware/x /proc/cpuinfo/x 2>/dev/null || echo kept
       echo core > /proc/sys/kernel/core_pattern || echo refused`,
      );
      expect(stdout).toBe('0\n0\nkept\nrefused\n');
    },
  );

  kernelTest('read-only paths of /proc keep nosuid, nodev and noexec (F5)', async () => {
    const { stdout } = await kit.run('grep " /proc/sys " /proc/self/mountinfo');
    expect(stdout).toMatch(/ ro,nosuid,nodev,noexec,/);
  });

  kernelTest('privileged leaves kernel files as they are, where nothing is masked', async () => {
    const edit = { privileged: true, maskedPaths: [], readOnlyPaths: [] };
    expect((await kit.run(': >> /proc/sys/kernel/core_pattern && echo writable', edit)).stdout).toBe(
      'writable\n',
    );
  });

  kernelTest('the working directory, as the user', async () => {
    expect((await kit.run(['pwd'], { workingDirectory: '/tmp' })).stdout).toBe('/tmp\n');
    mkdirSync(join(kit.rootfs, 'closed'), { mode: 0o700 });
    const closed = { workingDirectory: '/closed' };
    expect((await kit.run(['pwd'], closed)).stdout).toBe('/closed\n');
    await expect(kit.run(['pwd'], { ...closed, user })).rejects.toMatchObject({
      message: expect.stringMatching(/step enter-working-directory: chdir\(path="\/closed"\): EACCES/),
      hint: expect.stringContaining('may not enter'),
    });
    rmSync(join(kit.rootfs, 'closed'), { recursive: true });
  });

  kernelTest('a working directory that does not exist', async () => {
    await expect(kit.run(['pwd'], { workingDirectory: '/absent' })).rejects.toMatchObject({
      code: 'LAUNCH_STEP_FAILED',
      message: expect.stringMatching(/step enter-working-directory: chdir\(path="\/absent"\): ENOENT/),
    });
  });

  kernelTest('an environment of the plan alone', async () => {
    const environment = { A: '1', B: 'two words', EMPTY: '' };
    const { stdout } = await kit.run(['/bin/env'], { environment });
    expect(stdout.split('\n').slice(0, -1).sort()).toEqual([
      'A=1',
      'B=two words',
      'EMPTY=',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  kernelTest('volumes: bound, read-only with what is mounted below, targets made on the way', async () => {
    const volume = join(kit.directory, 'volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'file'), 'content');
    const mount = (target: string, more: object) =>
      ({
        type: 'bind',
        source: volume,
        target,
        recursive: true,
        flags: [],
        createTarget: 'directory',
        ...more,
      }) as const;
    const plan = kit.plan(
      'cat /data/ro/file; echo new > /data/ro/new || echo read-only; echo new > /data/rw/new; cat /data/one; ls /data',
    );
    plan.mounts.push({ type: 'tmpfs', target: '/data', flags: [], createTarget: 'directory' });
    plan.mounts.push(mount('/data/ro', { flags: ['ro'] }), mount('/data/rw', {}));
    plan.mounts.push(mount('/data/one', { source: join(volume, 'file'), createTarget: 'file' }));
    expect((await kit.run(plan)).stdout).toBe('contentread-only\ncontentone\nro\nrw\n');
    expect(readFileSync(join(volume, 'new'), 'utf8')).toBe('new\n');
    for (const path of [volume, join(kit.rootfs, 'data')]) rmSync(path, { recursive: true });
  });
});

describe('a command that cannot be executed', () => {
  const put = (name: string, content: string | Buffer, mode = 0o755) => {
    const path = join(kit.rootfs, 'tmp', name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return `/tmp/${name}`;
  };
  const refused = (command: string[], edit: object, expected: object) =>
    expect(kit.run(command, edit)).rejects.toMatchObject(expected);
  afterEach(() => {
    if (kit.rootfs) execFileSync('sh', ['-c', 'rm -rf "$1"/tmp/*', 'sh', kit.rootfs]);
  });

  kernelTest('is not found, in PATH or by its path', async () => {
    const expected = {
      code: 'COMMAND_NOT_FOUND',
      kind: 'invalid',
      message: expect.stringMatching(/command "(\/absent\/)?no-such" not found: execve: ENOENT/),
      hint: expect.stringContaining('does not exist in the root filesystem'),
    };
    await refused(['no-such'], {}, expected);
    await refused(['no-such'], { environment: { PATH: '/bin:/sbin:/bin/sh:/usr/bin' } }, expected);
    await refused(['/absent/no-such'], {}, expected);
  });

  kernelTest('is not executable, a folder, or on a noexec mount', async () => {
    const expected = { code: 'COMMAND_NOT_EXECUTABLE', message: expect.stringMatching(/execve: EACCES/) };
    await refused([put('plain', '#!/bin/sh\n', 0o644)], {}, expected);
    await refused(['/tmp'], {}, expected);
    const noexec = kit.plan([put('script', '#!/bin/sh\n')]);
    noexec.mounts.push({
      type: 'bind',
      source: join(kit.rootfs, 'tmp'),
      target: '/tmp',
      recursive: false,
      flags: ['noexec'],
    });
    await expect(kit.run(noexec)).rejects.toMatchObject({
      ...expected,
      hint: expect.stringContaining('noexec'),
    });
  });

  kernelTest('has an interpreter that does not exist', async () => {
    await refused(
      [put('script', '#!/no/such/interpreter\n')],
      {},
      {
        code: 'COMMAND_NOT_FOUND',
        hint: expect.stringContaining('the interpreter in its first line'),
      },
    );
  });

  kernelTest('is no program: without "#!", or of another machine', async () => {
    const expected = {
      code: 'COMMAND_NOT_EXECUTABLE',
      message: expect.stringMatching(/execve: ENOEXEC/),
      hint: expect.stringContaining('architecture'),
    };
    await refused([put('text', 'echo hello\n')], {}, expected);
    const foreign = new Program(new CallTable(), {
      architecture: process.arch === 'x64' ? 'arm64' : 'x64',
    }).fill();
    await refused([put('foreign', Buffer.from(foreign))], {}, expected);
  });

  kernelTest('has arguments that are too long', async () => {
    await refused(['sh', 'x'.repeat(200_000)], {}, { message: expect.stringMatching(/execve: E2BIG/) });
  });

  kernelTest('the errno that matters wins over those of other folders in PATH', async () => {
    put('tool', 'not executable', 0o644);
    put('sh', 'not executable', 0o644);
    const environment = { PATH: '/absent:/tmp:/bin' };
    await refused(['tool'], { environment }, { message: expect.stringMatching(/execve: EACCES/) });
    expect((await kit.run('echo found', { environment })).stdout).toBe('found\n');
  });

  kernelTest('says so with an init too', async () => {
    await refused(['no-such'], { init: true }, { code: 'COMMAND_NOT_FOUND' });
  });
});

describe('a launch that fails', () => {
  afterEach(() => clearFailpoints());

  kernelTest('in a step: names step, call, arguments, errno and advice', async () => {
    const plan = kit.plan('true');
    plan.mounts.push({ type: 'no-such-filesystem', target: '/tmp', flags: [] });
    await expect(kit.run(plan)).rejects.toMatchObject({
      code: 'LAUNCH_STEP_FAILED',
      message: expect.stringMatching(
        /step mount-filesystems: fsopen\(filesystem="no-such-filesystem".*ENODEV/,
      ),
      hint: 'the kernel does not have this filesystem',
    });
  });

  kernelTest('because the image has links where the kernel writes (F4: CVE-2019-19921)', async () => {
    rmSync(join(kit.rootfs, 'sys'), { recursive: true });
    symlinkSync('/tmp', join(kit.rootfs, 'sys'));
    await expect(kit.run('true')).rejects.toMatchObject({
      message: expect.stringMatching(/openat2\(.*ELOOP/),
    });
    rmSync(join(kit.rootfs, 'sys'));
    mkdirSync(join(kit.rootfs, 'sys'));
  });

  kernelTest('after the spawn, at any failpoint: nothing is left', async () => {
    setFailpoint('launcher.spawned', { action: 'throw', times: 1 });
    await expect(kit.run('true')).rejects.toThrow('failpoint launcher.spawned');
    setFailpoint('launcher.spawned', { action: 'nonsense', times: 1 });
    await expect(kit.run('true', { stdio: 'terminal' })).rejects.toBe('failpoint launcher.spawned');
  });

  kernelTest('because what it needs on the host is not there: nothing was started', async () => {
    const plan = kit.plan('true');
    plan.namespaces.enter.push({ kind: 'net', pid: 2 ** 22 });
    await expect(kit.run(plan)).rejects.toMatchObject({ code: 'PARENT_ENDED' });
  });
});

describe('a kept descriptor', () => {
  kernelTest('of the supervisor is the status file alone, and it holds no directory (A6)', async () => {
    const { process: launched } = await kit.start('sleep 1000');
    const { pid } = launched.state.supervisor;
    const list = () => execFileSync('ls', [`/proc/${pid}/fd`], { encoding: 'utf8' }).trim();
    while (list() !== '6') await new Promise(setImmediate);
    expect(readlinkSync(`/proc/${pid}/fd/6`)).toMatch(/\/runtime\/status$/);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
  });
});
