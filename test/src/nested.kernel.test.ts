/** Containers in containers, with the real core, launcher and isolators. */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxRootfs, needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Containers, newDirectory } from './containers.js';

const kernelTest = needs(test, { root: true });
const busyboxTest = needs(test, { root: true, busybox: true });

let containers: Containers;
beforeAll(async () => {
  if (kernelTest !== test) return;
  containers = await Containers.open({ isolation: ['filesystem/linux', 'namespaces/pid'] });
  // What is opened on first use would look like a leak of a test.
  await launchBoth();
  await containers.endAll();
});
afterAll(() => containers?.close());
withCensus({ reapOrphans: true });

async function launchBoth() {
  const web = await containers.start('exec sleep 1000', {}, 'web');
  const debug = await containers.start('exec sleep 1000', { class: 'DEBUG' }, 'web.debug');
  return { web, debug };
}

const pidNamespace = (pid: number) => readlinkSync(`/proc/${pid}/ns/pid`);

kernelTest(
  'the pid of a DEBUG container is that of its command, in the pid namespace of its parent',
  async () => {
    const { core } = containers;
    const web = await containers.start('exec sleep 1000', {}, 'web');
    const debug = await containers.start('exec sleep 999', { class: 'DEBUG' }, 'web.debug');
    expect(pidNamespace(debug.pid)).toBe(pidNamespace(web.pid));
    expect(core.inspect('web.debug').pid).toBe(debug.pid);
    expect((await core.status('web.debug')).executor_pid).toBe(debug.pid);
    await containers.endAll();
  },
);

kernelTest.each([false, true])(
  'a nested container of class DEFAULT (sharePidNamespace: %j) lives and ends with its parent',
  async (sharePidNamespace) => {
    const { core } = containers;
    const web = await containers.start('exec sleep 1000', {}, 'web');
    const job = await containers.start('exec sleep 1000', { sharePidNamespace }, 'web.job');
    const inner = await containers.start('exec sleep 1000', { sharePidNamespace }, 'web.job.inner');
    const namespaces = [web, job, inner].map(({ pid }) => pidNamespace(pid));
    expect(new Set(namespaces).size).toBe(sharePidNamespace ? 1 : 3);
    expect(core.inspect('web.job').pid).toBe(job.pid);
    await core.destroy('web.job.inner');
    expect(core.list().map(({ id, state }) => [id, state])).toEqual([
      ['web', 'RUNNING'],
      ['web.job', 'RUNNING'],
      ['web.job.inner', 'ENDED'],
    ]);
    core.signal('web', 9);
    expect(await core.wait('web.job')).toMatchObject({ signal: 'SIGKILL' });
    expect(await core.wait('web')).toMatchObject({ signal: 'SIGKILL', reason: 'EXITED' });
    await core.remove('web');
    expect(core.list()).toEqual([]);
  },
);

kernelTest('its exit status is its own, and it can be launched again once it is removed', async () => {
  const { core } = containers;
  await containers.start('exec sleep 1000', {}, 'web');
  for (const exitCode of [3, 0]) {
    await containers.start(`exit ${exitCode}`, {}, 'web.job');
    expect(await core.wait('web.job')).toMatchObject({ exitCode, reason: 'EXITED' });
    await core.remove('web.job');
  }
  await containers.endAll();
});

kernelTest(
  'one in the pid namespace of its parent that may trace keeps others from being launched (N5)',
  async () => {
    const directory = newDirectory();
    const open = () => Containers.open({ isolation: ['filesystem/linux', 'namespaces/pid'], directory });
    const capabilities = { bounding: ['CHOWN', 'SYS_PTRACE'] };
    let opened = await open();
    try {
      await opened.start('exec sleep 1000', {}, 'web');
      await opened.start('exec sleep 1000', { sharePidNamespace: true, capabilities }, 'web.trace');
      for (let agents = 0; agents < 2; agents += 1) {
        await expect(opened.start('exit 0', {}, 'web.job')).rejects.toMatchObject({
          code: 'SIBLING_TRACES',
          message: expect.stringContaining('web.trace'),
        });
        await opened.leave();
        opened = await open();
      }
      await opened.core.destroy('web.trace');
      await opened.start('exit 0', {}, 'web.job');
      expect(await opened.core.wait('web.job')).toMatchObject({ exitCode: 0 });
    } finally {
      await opened.close();
    }
  },
);

describe('the tree of a nested container', () => {
  let made: { parent: string; own: string } | undefined;
  function roots() {
    if (made) return made;
    made = { parent: join(containers.directory, 'rootfs'), own: join(containers.directory, 'own') };
    for (const [name, path] of Object.entries(made))
      writeFileSync(join(busyboxRootfs(path), 'etc/whose'), name);
    return made;
  }
  const look =
    'cat /etc/whose; pwd; echo $MESOS_SANDBOX; cat $MESOS_SANDBOX/stdout >/dev/null && echo its own; set /proc/[0-9]*; echo $#';

  busyboxTest('is that of its parent, or its own; /proc and the sandbox are its own both ways', async () => {
    const { parent, own } = roots();
    await containers.start('echo x > /tmp/of-the-parent; exec sleep 1000', { rootfs: parent }, 'web');
    const outcome = async (id: string, config = {}) => {
      const { sandbox } = await containers.start(look, config, id);
      await containers.core.wait(id);
      return readFileSync(join(sandbox, 'stdout'), 'utf8') + readFileSync(join(sandbox, 'stderr'), 'utf8');
    };
    const inside = '\n/mnt/mesos/sandbox\nits own\n1\n';
    expect(await outcome('web.job')).toBe(`parent/${inside}`);
    expect(await outcome('web.other', { rootfs: own })).toBe(`own/${inside}`);
    await containers.start('exec sleep 1000', { rootfs: own }, 'web.group');
    expect(await outcome('web.group.job')).toBe(`own/${inside}`);
    await containers.endAll();
  });

  busyboxTest('is the host as its parent sees it, where that has none of its own', async () => {
    await containers.start('exec sleep 1000', {}, 'web');
    const { sandbox } = await containers.start(
      'pwd; [ "$MESOS_SANDBOX" = "$PWD" ] && set /proc/[0-9]*; echo $#',
      {},
      'web.job',
    );
    await containers.core.wait('web.job');
    expect(readFileSync(join(sandbox, 'stdout'), 'utf8')).toBe(`${sandbox}\n1\n`);
    await containers.endAll();
  });

  busyboxTest('F8: a parent that puts a link to the host in the place of its sandbox', async () => {
    const { parent, own } = roots();
    const host = join(containers.directory, 'host');
    mkdirSync(join(host, 'job'), { recursive: true });
    const { sandbox } = await containers.start(
      `cd $MESOS_SANDBOX; rm -rf containers; ln -s ${host} containers; echo done; exec sleep 1000`,
      { rootfs: parent },
      'web',
    );
    while (!readFileSync(join(sandbox, 'stdout'), 'utf8').includes('done')) await new Promise(setImmediate);
    for (const config of [{}, { rootfs: own }])
      await expect(containers.start('echo x > $MESOS_SANDBOX/x', config, 'web.job')).rejects.toMatchObject({
        code: expect.stringMatching(/SANDBOX/),
      });
    expect(readdirSync(join(host, 'job'))).toEqual([]);
    await containers.endAll();
  });
});
