import { expect, test } from '@jest/globals';
import { placeInSandbox, sandboxInside } from '../sandbox-place.js';
import { fakeContainer, fakePlan } from '../testing/fake-container.js';
import { volumeMount } from './volume-mount.js';

const at = { source: '/srv', target: '/data' };

test('a volume is nosuid and nodev, with the mounts below it', () => {
  expect(volumeMount({ ...at, mode: 'RW' })).toEqual({
    type: 'bind',
    ...at,
    recursive: true,
    flags: ['nosuid', 'nodev'],
  });
});

test('a read-only one is private, unless it says otherwise', () => {
  expect(volumeMount({ ...at, mode: 'RO', below: 'x', createTarget: 'directory' })).toMatchObject({
    flags: ['nosuid', 'nodev', 'ro'],
    below: 'x',
    createTarget: 'directory',
    propagation: 'private',
  });
  const asked = volumeMount({ ...at, mode: 'RO', propagation: 'host-to-container' });
  expect(asked.propagation).toBe('host-to-container');
});

test('F8: a place in a sandbox is told from the outermost directory that only root can change', () => {
  const host = { workDir: '/var/lib/caisson' };
  const base = '/var/lib/caisson/containers/web';
  expect(placeInSandbox(host, fakeContainer(), 'a/b')).toEqual({ base, below: 'sandbox/a/b' });
  const nested = fakeContainer({ id: 'web.job', sandbox: `${base}/sandbox/containers/job` });
  expect(placeInSandbox(host, nested)).toEqual({ base, below: 'sandbox/containers/job' });
});

test('the sandbox is where the filesystem isolator says that it is', () => {
  const container = fakeContainer();
  const plan = fakePlan(container);
  expect(sandboxInside(container, plan)).toBe(container.sandbox);
  plan.setEnvironment('MESOS_SANDBOX', '/mnt/mesos/sandbox');
  expect(sandboxInside(container, plan)).toBe('/mnt/mesos/sandbox');
});
