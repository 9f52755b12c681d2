import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createHooks, LaunchPlan } from '@caisson/plugin-sdk';
import { fakeContainer } from '@caisson/plugin-sdk/testing';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { FilesystemLinuxIsolator } from './isolator.js';
import { isReachableByOthers } from './root-filesystem.js';

let directory = '';
let rootfs = '';

const openToAll = (path: string): boolean =>
  path === '/' || ((statSync(path).mode & 0o001) !== 0 && openToAll(dirname(path)));

// Where nothing below can be reached, a rootfs can't be made reachable either.
const reachable = openToAll(tmpdir());
if (!reachable) console.log(`skipped: ${tmpdir()} cannot be searched by others`);
const openTest = reachable ? test : test.skip;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-reachable-'));
  rootfs = join(directory, 'guard/rootfs');
  mkdirSync(rootfs, { recursive: true });
  chmodSync(directory, 0o755);
  chmodSync(join(directory, 'guard'), 0o755);
});
afterEach(() => rmSync(directory, { recursive: true }));

async function launch(isolator: FilesystemLinuxIsolator): Promise<void> {
  const hooks = createHooks();
  isolator.apply(hooks);
  await hooks.prepare.promise(fakeContainer({ config: { rootfs } }), new LaunchPlan({ argv: ['true'] }));
}

function isolatorThat(reachableRootfs: 'warn' | 'refuse') {
  const warn = jest.fn();
  const host = { workDir: '/var/lib/caisson', runtimeDir: '/run/caisson', isolation: [], launcher: 'linux' };
  const log = { debug() {}, info() {}, warn, error() {} };
  return {
    warn,
    isolator: new FilesystemLinuxIsolator({ sandboxDirectory: '/sandbox', reachableRootfs }, host, log),
  };
}

describe('F8: a root filesystem that other users of the host can reach', () => {
  openTest('is one with no directory above it that keeps them out', () => {
    expect(isReachableByOthers(rootfs)).toBe(true);
    chmodSync(join(directory, 'guard'), 0o710);
    expect(isReachableByOthers(rootfs)).toBe(false);
  });

  openTest('whatever its own mode: the users of the container must search it', () => {
    chmodSync(rootfs, 0o700);
    expect(isReachableByOthers(rootfs)).toBe(true);
  });

  openTest('is warned of once', async () => {
    const { isolator, warn } = isolatorThat('warn');
    await launch(isolator);
    await launch(isolator);
    expect(warn.mock.calls).toEqual([
      [
        expect.objectContaining({ containerId: 'web', rootfs, hint: expect.stringContaining('chmod 0700') }),
        expect.stringContaining('can be reached by every user of the host'),
      ],
    ]);
  });

  openTest('is refused where the operator wants that, each time', async () => {
    const { isolator, warn } = isolatorThat('refuse');
    for (let i = 0; i < 2; i++)
      await expect(launch(isolator)).rejects.toMatchObject({ code: 'ROOTFS_REACHABLE', kind: 'denied' });
    expect(warn).not.toHaveBeenCalled();
  });

  test('is accepted without a word when a directory above keeps them out', async () => {
    chmodSync(join(directory, 'guard'), 0o700);
    for (const choice of ['warn', 'refuse'] as const) {
      const { isolator, warn } = isolatorThat(choice);
      await launch(isolator);
      expect(warn).not.toHaveBeenCalled();
    }
  });
});
