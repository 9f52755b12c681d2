/** K1: what root executes, only root can write. Each test first shows the attack with the guard off. */
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfiguration } from './configuration/load.js';
import { loadPlugin } from './plugin-host/load-plugin.js';
import { findPackage } from './plugin-host/packages.js';
import { TemporaryDirectory } from './testing/fakes.js';
import { requireTrusted, type TrustPolicy } from './trust.js';

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
if (!isRoot) console.warn('skipped: K1 is about files of others, which only root can make');

const ON: TrustPolicy = { uid: 0 };
const OFF: TrustPolicy = { uid: 1000 };
const ATTACKER = 65534;

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = new TemporaryDirectory();
});
afterEach(() => directory.remove());

const refusal = async (call: () => unknown): Promise<Error & { code?: string }> => {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was not refused');
};

const load = (trust: TrustPolicy, file?: string) =>
  loadConfiguration(
    { directory: directory.path, file, environment: {} },
    { trust, systemDirectory: '/nonexistent' },
  );

describe('K1: a configuration file', () => {
  asRoot('of another user is refused by name', async () => {
    const file = directory.join('caisson.config.yaml');
    writeFileSync(file, 'launcher: evil\n');
    chownSync(file, ATTACKER, ATTACKER);
    expect((await load(OFF)).values.launcher).toBe('evil');
    const error = await refusal(() => load(ON));
    expect(error).toMatchObject({ code: 'PATH_UNTRUSTED', kind: 'denied' });
    expect(error.message).toContain(`${file} belongs to uid ${ATTACKER}`);
    expect(await refusal(() => load(ON, file))).toMatchObject({ code: 'PATH_UNTRUSTED' });
  });

  asRoot('in a directory that others can write is refused', async () => {
    mkdirSync(directory.join('open'));
    writeFileSync(directory.join('open/caisson.config.json'), '{"launcher":"evil"}');
    chmodSync(directory.join('open'), 0o777);
    const file = directory.join('open/caisson.config.json');
    expect((await load(OFF, file)).values.launcher).toBe('evil');
    expect((await refusal(() => load(ON, file))).message).toMatch(/open is writable by everybody/);
    chmodSync(directory.join('open'), 0o775);
    chownSync(directory.join('open'), 0, ATTACKER);
    expect((await refusal(() => load(ON, file))).message).toMatch(/writable by the group/);
  });

  asRoot("behind a link into an attacker's tree is refused", async () => {
    mkdirSync(directory.join('theirs'));
    writeFileSync(directory.join('theirs/real.yaml'), 'launcher: evil\n');
    chownSync(directory.join('theirs'), ATTACKER, ATTACKER);
    symlinkSync(directory.join('theirs/real.yaml'), directory.join('caisson.config.yaml'));
    expect((await load(OFF)).values.launcher).toBe('evil');
    expect((await refusal(() => load(ON))).message).toMatch(/theirs belongs to uid/);
  });

  asRoot('of the user who called sudo is accepted', async () => {
    const file = directory.join('caisson.config.yaml');
    writeFileSync(file, 'launcher: mine\n');
    chownSync(file, 1234, 1234);
    expect((await load({ uid: 0, sudoUid: 1234 })).values.launcher).toBe('mine');
    expect(await refusal(() => load({ uid: 0, sudoUid: 1235 }))).toMatchObject({ code: 'PATH_UNTRUSTED' });
  });

  asRoot('that is code runs as root only if it was named', async () => {
    const ran = globalThis as { k1Ran?: number };
    delete ran.k1Ran;
    writeFileSync(
      directory.join('caisson.config.mjs'),
      'globalThis.k1Ran = (globalThis.k1Ran ?? 0) + 1; export default { launcher: "code" };',
    );
    expect(await refusal(() => load(ON))).toMatchObject({ code: 'CONFIG_CODE_REFUSED' });
    expect(ran.k1Ran).toBeUndefined();
    expect((await load(ON, 'caisson.config.mjs')).values.launcher).toBe('code');
  });

  asRoot('is never searched for upwards, where a sandbox lies', async () => {
    writeFileSync(directory.join('caisson.config.yaml'), 'launcher: evil\n');
    mkdirSync(directory.join('sandbox/deep'), { recursive: true });
    const below = await loadConfiguration(
      { directory: directory.join('sandbox/deep'), environment: {} },
      { trust: OFF, systemDirectory: '/nonexistent' },
    );
    expect(below.file).toBeUndefined();
  });
});

describe('K1: a sticky directory such as /tmp', () => {
  asRoot("may hold a directory of root's, but no file, and no packages", () => {
    const sticky = directory.join('sticky');
    mkdirSync(sticky);
    chmodSync(sticky, 0o1777);
    mkdirSync(`${sticky}/mine`);
    writeFileSync(`${sticky}/mine/caisson.config.yaml`, '');
    writeFileSync(`${sticky}/caisson.config.yaml`, '');
    expect(() =>
      requireTrusted(`${sticky}/mine/caisson.config.yaml`, 'configuration file', ON),
    ).not.toThrow();
    expect(() => requireTrusted(`${sticky}/caisson.config.yaml`, 'configuration file', ON)).toThrow(
      /everybody can put/,
    );
    expect(() => requireTrusted(`${sticky}/mine`, 'plugin', ON)).not.toThrow();
    mkdirSync(`${sticky}/node_modules`);
    chownSync(`${sticky}/node_modules`, ATTACKER, ATTACKER);
    expect(() => requireTrusted(`${sticky}/mine`, 'plugin', ON)).toThrow(/node_modules belongs to uid/);
    // Without the sticky bit anybody can put another `mine` in its place.
    chmodSync(sticky, 0o777);
    expect(() => requireTrusted(`${sticky}/mine`, 'directory', ON)).toThrow(/writable by everybody/);
  });
});

describe('K1: a plugin', () => {
  const install = (name: string) => {
    const at = directory.join('node_modules', name);
    mkdirSync(at, { recursive: true });
    const manifest = { name, version: '1.0.0', type: 'module', exports: './index.js' };
    const caisson = { isolators: ['acme/evil'] };
    const peers = { peerDependencies: { '@caisson/plugin-sdk': '*' } };
    writeFileSync(`${at}/package.json`, JSON.stringify({ ...manifest, caisson, ...peers }));
    writeFileSync(
      `${at}/index.js`,
      `globalThis.k1Plugin = true;
       export default { isolators: [{ name: 'acme/evil', implementation: class { apply() {} } }] };`,
    );
    return at;
  };

  asRoot('that others can write does not run', async () => {
    const flag = globalThis as { k1Plugin?: boolean };
    delete flag.k1Plugin;
    const at = install('acme-evil');
    const found = findPackage('acme-evil', [directory.path])!;
    for (const path of [at, directory.join('node_modules'), `${at}/index.js`]) {
      chownSync(path, ATTACKER, ATTACKER);
      expect((await refusal(() => loadPlugin(found, ON))).message).toContain(`${path} belongs to uid`);
      chownSync(path, 0, 0);
    }
    expect(flag.k1Plugin).toBeUndefined();
    chownSync(at, ATTACKER, ATTACKER);
    await loadPlugin(found, OFF);
    expect(flag.k1Plugin).toBe(true);
  });

  asRoot('linked to from node_modules is looked at where it is', async () => {
    mkdirSync(directory.join('theirs'));
    const at = install('acme-linked');
    const real = directory.join('theirs/acme-linked');
    const { renameSync } = await import('node:fs');
    renameSync(at, real);
    symlinkSync(real, at);
    chownSync(directory.join('theirs'), ATTACKER, ATTACKER);
    const found = findPackage('acme-linked', [directory.path])!;
    expect((await refusal(() => loadPlugin(found, ON))).message).toMatch(/theirs belongs to uid/);
  });
});
