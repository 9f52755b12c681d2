/** Containers in containers, with the real core, launcher and isolators. */
import { readlinkSync } from 'node:fs';
import { needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Containers } from './containers.js';

const kernelTest = needs(test, { root: true });

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
