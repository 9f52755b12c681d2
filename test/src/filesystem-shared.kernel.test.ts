import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mount, umount } from '@caisson/linux/syscalls';
import { inNamespaces, needs, withCensus } from '@caisson/linux/testing';
import type { Volume } from '@caisson/plugin-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { RealAgent } from './agent/real-agent.js';
import { Folder } from './caisson.js';
import { Containers, newDirectory } from './containers.js';

const kernelTest = needs(test, { root: true });

/** filesystem/shared with the real core and launcher, as an operator has it. */
let containers: Containers;
let directory = '';
const isolation = ['filesystem/shared'];
/** Not in /tmp, of which the containers here have one of their own. */
const open = () => Containers.open({ isolation, directory });

const PRIVATE_TMP: Volume = {
  containerPath: '/tmp',
  mode: 'RW',
  source: { type: 'SANDBOX_PATH', of: 'SELF', path: '.private/tmp' },
};
const volumes = [PRIVATE_TMP];
const hostsMounts = () => readFileSync('/proc/self/mountinfo', 'utf8');

if (process.getuid?.() === 0) {
  beforeAll(async () => {
    directory = newDirectory('/var/tmp');
    containers = await open();
    await containers.run('true'); // what is opened at the first use
  });
  afterEach(() => containers.endAll());
  afterAll(() => containers.close());
  withCensus({ directories: () => [join(directory, 'work')], cgroups: /caisson-c\d+-/, reapOrphans: true });
}

describe('a private /tmp', () => {
  kernelTest('of two containers: 1777, neither the one of the host nor of each other', async () => {
    const before = hostsMounts();
    const name = `/tmp/caisson-of-the-host-${process.pid}`;
    writeFileSync(name, '');
    try {
      const wait = 'stat -c %a /tmp; touch /tmp/$0; echo ready; read -r _ < go; ls -A /tmp';
      const started = await Promise.all(
        ['one', 'other'].map(async (id) => {
          const argv = ['sh', '-c', `mkfifo go; ${wait}`, id];
          return containers.core.launch(id, { argv, volumes });
        }),
      );
      await Promise.all(started.map(({ sandbox }) => written(join(sandbox, 'stdout'), /ready/)));
      expect(hostsMounts()).toBe(before);
      for (const { sandbox } of started) writeFileSync(join(sandbox, 'go'), '\n');
      for (const { id, sandbox } of started) {
        await containers.core.wait(id);
        expect(readFileSync(join(sandbox, 'stdout'), 'utf8')).toBe(`1777\nready\n${id}\n`);
        const { mode, uid } = statSync(join(sandbox, '.private/tmp'));
        expect([mode & 0o7777, uid]).toEqual([0o1777, 0]);
      }
      expect(existsSync('/tmp/one')).toBe(false);
    } finally {
      rmSync(name);
    }
    expect(hostsMounts()).toBe(before);
  });

  kernelTest(
    'is for users that are not root too, and set-user-ID programs in it make nobody root',
    async () => {
      const { stdout } = await containers.run(
        'touch /tmp/mine && cp /bin/true /tmp && chmod u+s /tmp/true && ls -A /tmp; grep " /tmp " /proc/self/mounts',
        { volumes, user: '1000:1000' },
      );
      expect(stdout).toMatch(/^mine\ntrue\n\S+ \/tmp \S+ (rw,)?nosuid,nodev/);
    },
  );

  kernelTest(
    'is seen by what is nested in the container, and by who looks into it; one of its own hides it',
    async () => {
      const { id } = await containers.start('touch /tmp/of-web; exec sleep 60', { volumes }, 'web');
      const sandbox = containers.core.inspect(id).sandbox;
      await written(join(sandbox, '.private/tmp/of-web'), /^/);
      const look = (name: string, config: object) =>
        containers.start('ls -A /tmp', config, `web.${name}`).then(async (nested) => {
          await containers.core.wait(nested.id);
          return readFileSync(join(nested.sandbox, 'stdout'), 'utf8');
        });
      expect(await look('job', {})).toBe('of-web\n');
      expect(await look('debug', { class: 'DEBUG' })).toBe('of-web\n');
      expect(await look('own', { volumes })).toBe('');
    },
  );

  kernelTest('after a restart of the agent, and after a reload, too', async () => {
    await containers.start('touch /tmp/of-web; exec sleep 60', { volumes }, 'web');
    await written(join(containers.core.inspect('web').sandbox, '.private/tmp/of-web'), /^/);
    await containers.leave();
    containers = await open();
    await containers.core.reload(containers.core.configuration);
    const nested = await containers.start('ls -A /tmp', {}, 'web.job');
    await containers.core.wait(nested.id);
    expect(readFileSync(join(nested.sandbox, 'stdout'), 'utf8')).toBe('of-web\n');
    expect((await containers.run('touch /tmp/x; ls -A /tmp', { volumes })).stdout).toBe('x\n');
  });
});

describe('read-only', () => {
  const source = () => join(directory, 'source');

  kernelTest('refuses to be written to, below nested mounts too', async () => {
    mkdirSync(join(source(), 'below'), { recursive: true });
    mount({ source: 'none', target: join(source(), 'below'), type: 'tmpfs' });
    const at = (mode: Volume['mode']): Volume[] => [
      { containerPath: '/srv', mode, source: { type: 'HOST_PATH', path: source() } },
    ];
    try {
      const script = 'touch /srv/x /srv/below/x 2>&1';
      expect(await containers.run(script, { volumes: at('RW') })).toMatchObject({ exitCode: 0, stdout: '' });
      rmSync(join(source(), 'x'));
      expect((await containers.run(script, { volumes: at('RO') })).stdout).toMatch(
        /'?\/srv\/x'?: Read-only file system\n.*'?\/srv\/below\/x'?: Read-only file system\n/,
      );
    } finally {
      umount(join(source(), 'below'));
      rmSync(source(), { recursive: true });
    }
  });
});

describe('F1: a nested sandbox lies in a tree that its parent writes', () => {
  kernelTest('a link there leads nowhere', async () => {
    const outside = join(directory, 'outside');
    mkdirSync(outside);
    const web = await containers.start('exec sleep 60', {}, 'web');
    symlinkSync(outside, join(web.sandbox, 'shared'));
    const shared: Volume = {
      ...PRIVATE_TMP,
      source: { type: 'SANDBOX_PATH', of: 'PARENT', path: 'shared/x' },
    };
    try {
      const launch = containers.start('touch /tmp/x', { volumes: [shared] }, 'web.job');
      await expect(launch).rejects.toMatchObject({ message: expect.stringMatching(/ELOOP|ENOTDIR/) });
      expect(existsSync(join(outside, 'x'))).toBe(false);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });
});

describe('F6: on a host whose tree is shared, as systemd leaves it (MESOS-6563)', () => {
  kernelTest('the mount table of the host is the same, during and after', () => {
    const outcome = inNamespaces(
      ['--mount', '--propagation=private'],
      async ({ fs, childProcess, syscalls: { mount, umount, MS } }, { module, volumes }) => {
        mount({ target: '/', flags: MS.MS_SHARED | MS.MS_REC });
        const table = () => fs.readFileSync('/proc/self/mountinfo', 'utf8');
        const before = table();
        // What goes wrong without the guard: a namespace whose mounts are still peers of the host's.
        const naive = ['--mount', '--propagation=unchanged', 'mount', '-t', 'tmpfs', 'none', '/mnt'];
        childProcess.spawnSync('unshare', naive);
        const leaked = table() !== before;
        if (leaked) umount('/mnt');
        const { Containers, newDirectory } = await import(module);
        const containers = await Containers.open({
          isolation: ['filesystem/shared'],
          directory: newDirectory('/var/tmp'),
        });
        const { sandbox } = await containers.start('echo ready; exec sleep 60', { volumes }, 'web');
        while (!fs.readFileSync(`${sandbox}/stdout`, 'utf8').includes('ready'))
          await new Promise((resolve) => setTimeout(resolve, 2));
        const during = table() === before;
        const { stdout } = await containers.run('touch /tmp/x; ls -A /tmp', { volumes });
        await containers.close();
        return { leaked, during, stdout, after: table() === before };
      },
      { module: new URL('./containers.js', import.meta.url).href, volumes },
    );
    expect(outcome).toEqual({ leaked: true, during: true, stdout: 'x\n', after: true });
  });
});

describe('--default_container_info', () => {
  kernelTest('gives every container that brings no ContainerInfo its private /tmp', async () => {
    const folder = new Folder({ isolation });
    const agent = new RealAgent(folder);
    const info = {
      type: 'MESOS',
      volumes: [{ host_path: '.private/tmp', container_path: '/tmp', mode: 'RW' }],
    };
    const workDir = join(directory, 'agent');
    try {
      await agent.start(`--work_dir=${workDir}`, `--default_container_info=${JSON.stringify(info)}`);
      const script = 'touch /tmp/$0; stat -c %a /tmp; ls -A /tmp';
      const launches = [
        ['one', { command: { shell: false, value: 'sh', arguments: ['sh', '-c', script, 'one'] } }],
        ['two', { config: { argv: ['sh', '-c', script, 'two'] } }],
      ] as const;
      for (const [value, message] of launches) {
        const container_id = { value };
        const launched = await agent.api.call('LAUNCH_CONTAINER', { container_id, ...message });
        expect(launched).toMatchObject({ status: 200 });
        await agent.api.call('WAIT_CONTAINER', { container_id });
        const stdout = join(workDir, 'containers', value, 'sandbox/stdout');
        expect(readFileSync(stdout, 'utf8')).toBe(`1777\n${value}\n`);
      }
      const container_id = { value: 'plain' };
      const command = { value: 'ls -d .private' };
      await agent.api.call('LAUNCH_CONTAINER', { container_id, command, container: { type: 'MESOS' } });
      const { body } = await agent.api.call('WAIT_CONTAINER', { container_id });
      expect(body).toMatchObject({ exit_code: 2 });
      await agent.removeAll();
      await agent.stop();
    } finally {
      if (agent.isRunning) await agent.stop('SIGKILL');
      folder.remove();
      rmSync(workDir, { recursive: true, force: true });
    }
  });
});

/** Resolves once the file is there and matches. */
async function written(path: string, pattern: RegExp): Promise<void> {
  while (!existsSync(path) || !pattern.test(readFileSync(path, 'utf8')))
    await new Promise((resolve) => setTimeout(resolve, 2));
}
