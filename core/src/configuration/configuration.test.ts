import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { TemporaryDirectory } from '../testing/fakes.js';
import { type LoadOptions, loadConfiguration } from './load.js';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = new TemporaryDirectory();
  mkdirSync(directory.join('etc'));
});
afterEach(() => directory.remove());

const write = (file: string, content: string | object) =>
  writeFileSync(directory.join(file), typeof content === 'string' ? content : JSON.stringify(content));

const user = { uid: 1000, home: '/home/bob', temporary: '/tmp' };
const load = (options: LoadOptions = {}) =>
  loadConfiguration(
    { directory: directory.path, environment: {}, ...options },
    { systemDirectory: directory.join('etc'), trust: { uid: 1000 }, user },
  );
const refusal = (options: LoadOptions = {}): Promise<Error & { code: string }> =>
  load(options).then(
    () => {
      throw new Error('it was accepted');
    },
    (error) => error,
  );

describe('where it comes from', () => {
  test('nowhere: the defaults of the user', async () => {
    const { values, sources, file } = await load();
    expect(values).toMatchObject({
      isolation: [],
      launcher: undefined,
      workDir: '/home/bob/.local/share/caisson',
      runtimeDir: '/tmp/caisson-1000',
      timeouts: { prepare: 60_000 },
    });
    expect(sources).toMatchObject({ workDir: 'default', 'timeouts.prepare': 'default' });
    expect(file).toBeUndefined();
    expect((await load({ environment: { XDG_RUNTIME_DIR: '/run/user/1000' } })).values.runtimeDir).toBe(
      '/run/user/1000/caisson',
    );
  });

  test.each([
    ['caisson.config.yaml', 'isolation: [acme/a]'],
    ['caisson.config.yml', 'isolation: [acme/a]'],
    ['caisson.config.json', '{"isolation":["acme/a"]}'],
    ['caisson.config.js', 'module.exports = { isolation: ["acme/a"] };'],
    ['caisson.config.mjs', 'export default { isolation: ["acme/a"] };'],
    ['.caissonrc', 'isolation: [acme/a]'],
    ['.caissonrc.json', '{"isolation":["acme/a"]}'],
    ['package.json', '{"name":"x","caisson":{"isolation":["acme/a"]}}'],
  ])('%s', async (name, content) => {
    write(name, content);
    const { values, sources, file, directory: from } = await load();
    expect(values.isolation).toEqual(['acme/a']);
    expect(file).toBe(directory.join(name));
    expect(sources.isolation).toBe(`file ${directory.join(name)}`);
    expect(from).toBe(directory.path);
  });

  test('the working directory before /etc/caisson, and a named file before both', async () => {
    write('etc/caisson.config.yaml', 'launcher: system');
    expect((await load()).values.launcher).toBe('system');
    write('.caissonrc', 'launcher: here');
    expect((await load()).values.launcher).toBe('here');
    write('named.yaml', 'launcher: named');
    expect((await load({ file: 'named.yaml' })).values.launcher).toBe('named');
    expect((await load({ environment: { CAISSON_CONFIG: 'named.yaml' } })).values.launcher).toBe('named');
  });

  test("the package.json of a plugin's own folder is no configuration", async () => {
    write('package.json', { name: 'x', caisson: { isolators: ['acme/a'] } });
    expect((await load()).file).toBeUndefined();
  });

  test('flag before variable before file before default', async () => {
    write(
      'caisson.config.yaml',
      'workDir: file\nruntimeDir: file\nlauncher: file\ntimeouts: { prepare: 5secs }',
    );
    const { values, sources } = await load({
      flags: { 'work-dir': '/flag' },
      environment: { CAISSON_WORK_DIR: '/variable', CAISSON_RUNTIME_DIR: '/variable' },
    });
    expect(values).toMatchObject({ workDir: '/flag', runtimeDir: '/variable', launcher: 'file' });
    expect(values.timeouts).toMatchObject({ prepare: 5000, isolate: 30_000 });
    expect(sources).toMatchObject({
      workDir: 'flag --work-dir',
      runtimeDir: 'variable CAISSON_RUNTIME_DIR',
      'timeouts.prepare': `file ${directory.join('caisson.config.yaml')}`,
      'timeouts.isolate': 'default',
    });
  });

  test('relative paths are relative to what says them', async () => {
    write('etc/caisson.config.yaml', 'workDir: work');
    expect((await load()).values.workDir).toBe(directory.join('etc/work'));
    expect((await load({ flags: { work_dir: 'work' } })).values.workDir).toBe(directory.join('work'));
  });
});

describe('flags', () => {
  test('of Mesos keep their names', async () => {
    const { values } = await load({
      flags: { isolation: 'acme/a,,acme/b', work_dir: '/w', runtime_dir: '/r' },
    });
    expect(values).toMatchObject({ isolation: ['acme/a', 'acme/b'], workDir: '/w', runtimeDir: '/r' });
  });

  test('the core does not know are kept for isolators', async () => {
    const { unclaimedFlags } = await load({
      flags: { container_disk_watch_interval: '1mins' },
      environment: { CAISSON_ENFORCE_CONTAINER_DISK_QUOTA: 'true', CAISSON_FAILPOINTS: 'x' },
    });
    expect(unclaimedFlags).toEqual([
      {
        name: 'container_disk_watch_interval',
        value: '1mins',
        source: 'flag --container_disk_watch_interval',
        required: true,
      },
      {
        name: 'ENFORCE_CONTAINER_DISK_QUOTA',
        value: 'true',
        source: 'variable CAISSON_ENFORCE_CONTAINER_DISK_QUOTA',
        required: false,
      },
    ]);
  });

  test('set single options; the others of the file stay', async () => {
    write('caisson.config.yaml', 'options: { posix/disk: { enforceQuota: true, watchInterval: 1mins } }');
    const { values, sources } = await load({
      flags: { option: ['posix/disk.watchInterval=5secs', 'a/b.n=[1]'] },
    });
    expect(values.options).toEqual({
      'posix/disk': { enforceQuota: true, watchInterval: '5secs' },
      'a/b': { n: [1] },
    });
    expect(sources['options.posix/disk.watchInterval']).toBe('flag --option');
    expect(await refusal({ flags: { option: 'nonsense' } })).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('file:// stands for the content of a file', async () => {
    write('isolators', 'acme/a,acme/b\n');
    const { values } = await load({ flags: { isolation: `file://${directory.join('isolators')}` } });
    expect(values.isolation).toEqual(['acme/a', 'acme/b']);
    expect(await refusal({ flags: { isolation: 'file:///nonexistent' } })).toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

describe('alternatives', () => {
  const alternatives = [
    { launcher: 'linux', isolation: ['acme/a'] },
    { launcher: 'posix', isolation: ['acme/b'] },
  ];
  test('stand alone in their file', async () => {
    write('caisson.config.json', { alternatives });
    expect((await load()).values).toMatchObject({ alternatives, isolation: [], launcher: undefined });
    write('caisson.config.json', { alternatives, isolation: ['acme/c'] });
    expect((await refusal()).message).toMatch(/instead of isolation/);
  });

  test('give way to a flag', async () => {
    write('caisson.config.json', { alternatives });
    expect((await load({ flags: { isolation: 'acme/c' } })).values).toMatchObject({
      isolation: ['acme/c'],
      alternatives: [],
    });
    expect((await load({ flags: { launcher: 'posix' } })).values.alternatives).toEqual([alternatives[1]]);
    expect((await refusal({ flags: { launcher: 'other' } })).message).toMatch(
      /no alternative .* launcher other/,
    );
  });
});

describe('what is wrong is told with its path and value (K4)', () => {
  test.each([
    ['unknown key', 'isolatoin: [acme/a]', /caisson\.config\.yaml: isolatoin: unknown key/],
    ['wrong type', 'isolation: [acme/a, 5]', /isolation\[1\]: expected string; got 5/],
    ['wrong type deep', 'timeouts: { prepare: 30 }', /timeouts\.prepare: expected string; got 30/],
    [
      'no duration',
      'timeouts: { prepare: 30s }',
      /timeouts\.prepare: must be a duration such as 15secs.*got "30s"/,
    ],
    ['twice', 'isolation: [acme/a, acme/a]', /isolation: an isolator is named twice/],
    ['no name', 'isolation: ["../evil"]', /isolation\[0\]: a name such as filesystem\/linux/],
    ['no package', 'plugins: ["../evil"]', /plugins\[0\]: the name of a package/],
    ['NUL', 'workDir: "a\\0b"', /workDir: a NUL character is not allowed/],
    ['not finite', 'options: { acme/a: { n: .inf } }', /options\["acme\/a"\]\.n: the number Infinity/],
    ['__proto__', 'options: { "__proto__": { n: 1 } }', /options: the key "__proto__" is not allowed/],
    ['not an object', '- a', /expected object/],
    ['a date', 'options: { acme/a: { d: 2001-12-14 } }', /d: an object that is no plain data/],
    ['endless', 'options: &o { acme/a: { again: *o } }', /nested deeper than/],
  ])('%s', async (_what, content, message) => {
    write('caisson.config.yaml', content);
    const error = await refusal();
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', kind: 'invalid', hint: expect.any(String) });
    expect(error.message).toMatch(message);
  });

  test('a function of a code file', async () => {
    write('caisson.config.mjs', 'export default { options: { "acme/a": { f() {} } } };');
    expect((await refusal()).message).toMatch(/options\["acme\/a"\]\.f: a function is not allowed/);
  });

  test('a flag by its name', async () => {
    expect((await refusal({ flags: { isolation: 'Acme' } })).message).toMatch(
      /^flag --isolation: isolation\[0\]/,
    );
    expect((await refusal({ environment: { CAISSON_LAUNCHER: '!' } })).message).toMatch(
      /^variable CAISSON_LAUNCHER/,
    );
  });

  test('a file that does not parse, or is not there', async () => {
    write('caisson.config.yaml', 'a: [');
    expect(await refusal()).toMatchObject({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringContaining('config.yaml'),
    });
    expect(await refusal({ file: 'nowhere.yaml' })).toMatchObject({ code: 'CONFIG_UNREADABLE' });
    expect(await refusal({ file: '.' })).toMatchObject({ code: 'CONFIG_UNREADABLE' });
  });

  test('an empty file says nothing', async () => {
    write('caisson.config.yaml', '');
    expect((await load()).values.isolation).toEqual([]);
  });
});
