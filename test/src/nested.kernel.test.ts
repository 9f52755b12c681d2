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

kernelTest.each([{}, { sharePidNamespace: true }])(
  'a nested container of class DEFAULT with %j is refused by name, and nothing of it is left',
  async (config) => {
    await containers.start('exec sleep 1000', {}, 'web');
    await expect(containers.start('true', config, 'web.job')).rejects.toMatchObject({
      code: 'PLAN_UNSUPPORTED',
    });
    expect(containers.core.list().map(({ id }) => id)).toEqual(['web']);
    await containers.endAll();
  },
);
