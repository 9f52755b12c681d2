import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfiguration } from '../configuration/load.js';
import type { Configuration } from '../configuration/values.js';
import { Containerizer } from '../containerizer/containerizer.js';
import { FakeLog, TemporaryDirectory } from '../testing/fakes.js';
import { configurationSchema } from './json-schema.js';
import { checkConfiguration } from './prepare-generation.js';
import { reportPlugins } from './report.js';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = new TemporaryDirectory();
  mkdirSync(directory.join('node_modules/@caisson'), { recursive: true });
  const sdk = dirname(createRequire(import.meta.url).resolve('@caisson/plugin-sdk/package.json'));
  symlinkSync(realpathSync(sdk), directory.join('node_modules/@caisson/plugin-sdk'));
});
afterEach(() => directory.remove());

interface FakePackage {
  readonly isolators?: readonly string[];
  readonly launchers?: readonly string[];
  readonly sdk?: string | null;
  /** The module, after `import * as sdk from '@caisson/plugin-sdk'`. */
  readonly code?: string;
  readonly manifest?: object;
}

let made = 0;

/** A package in the node_modules of the configuration's folder. */
function install(
  name: string,
  { isolators = [], launchers = [], sdk = '^1.0.0', code, manifest }: FakePackage,
) {
  const at = directory.join('node_modules', name);
  mkdirSync(at, { recursive: true });
  made += 1;
  writeFileSync(
    `${at}/package.json`,
    JSON.stringify({
      name,
      version: '1.2.3',
      type: 'module',
      exports: `./index.js`,
      caisson: { isolators, launchers },
      ...(sdk !== null && { peerDependencies: { '@caisson/plugin-sdk': sdk } }),
      ...manifest,
    }),
  );
  const defined = isolators.map((isolator) => `{ name: ${JSON.stringify(isolator)}, implementation: Fake }`);
  writeFileSync(
    `${at}/index.js`,
    `import * as sdk from '@caisson/plugin-sdk'; // ${made}
     class Fake { apply() {} }
     sdk.injectable()(Fake);
     ${code ?? `export default sdk.definePlugin({ isolators: [${defined}] });`}`,
  );
}

const isolator = (name: string, rest: string, body = 'apply() {}') => `
  class Made { ${body} }
  sdk.injectable()(Made);
  export default sdk.definePlugin({ isolators: [{ name: '${name}', implementation: Made, ${rest} }] });`;

const configure = (content: object, flags = {}): Promise<Configuration> => {
  writeFileSync(
    directory.join('caisson.config.json'),
    JSON.stringify({ workDir: 'work', runtimeDir: 'run', ...content }),
  );
  return loadConfiguration({ directory: directory.path, environment: {}, flags });
};

const check = async (content: object, flags = {}) => checkConfiguration(await configure(content, flags));
const refusal = (
  promise: Promise<unknown>,
): Promise<Error & { code: string; hint?: string; details: object }> =>
  promise.then(
    () => {
      throw new Error('it was accepted');
    },
    (error) => error,
  );

describe('finding packages', () => {
  test('ours by the name of the isolator, others by `plugins`', async () => {
    install('@caisson/acme-a-b', { isolators: ['acme/a_b'] });
    install('third-party', { isolators: ['other/c'] });
    expect(await check({ isolation: ['acme/a_b', 'other/c'], plugins: ['third-party'] })).toMatchObject({
      isolation: expect.arrayContaining(['acme/a_b', 'other/c']),
      launcher: 'posix',
    });
  });

  test('an unknown isolator says which package to install', async () => {
    const error = await refusal(check({ isolation: ['acme/nowhere'] }));
    expect(error).toMatchObject({
      code: 'ISOLATOR_UNKNOWN',
      hint: expect.stringContaining('npm install @caisson/acme-nowhere'),
    });
    expect(await refusal(check({ launcher: 'nowhere' }))).toMatchObject({
      code: 'LAUNCHER_UNKNOWN',
      hint: expect.stringContaining('npm install @caisson/launcher-nowhere'),
    });
    expect(await refusal(check({ plugins: ['not-there'] }))).toMatchObject({
      code: 'PLUGIN_NOT_INSTALLED',
      hint: 'npm install not-there',
    });
  });

  test('nothing is imported that the configuration does not name', async () => {
    install('@caisson/acme-unused', { isolators: ['acme/unused'], code: 'throw new Error("imported")' });
    await check({ isolation: [] });
  });

  test('one that lists nothing is no plugin', async () => {
    install('a-library', {});
    expect(await refusal(check({ plugins: ['a-library'] }))).toMatchObject({
      code: 'PLUGIN_MANIFEST_INVALID',
    });
  });

  test('two packages with one isolator are refused', async () => {
    install('@caisson/acme-a', { isolators: ['acme/a'] });
    install('third-party', { isolators: ['acme/a'] });
    const error = await refusal(check({ isolation: ['acme/a'], plugins: ['third-party'] }));
    expect(error).toMatchObject({ code: 'NAME_BROUGHT_TWICE' });
    expect(error.message).toMatch(/third-party and by @caisson\/acme-a/);
  });

  test("a plugin is found in its author's own folder", async () => {
    install('under-construction', { isolators: ['acme/mine'] });
    const own = directory.join('node_modules/under-construction');
    writeFileSync(
      `${own}/caisson.config.json`,
      JSON.stringify({ isolation: ['acme/mine'], plugins: ['under-construction'] }),
    );
    const configuration = await loadConfiguration({ directory: own, environment: {} });
    expect((await checkConfiguration(configuration)).isolation).toContain('acme/mine');
  });

  test('an alias is found although no package is named for it', async () => {
    install('@caisson/posix-quota', {
      isolators: ['posix/quota', 'disk/q'],
      code: isolator(
        'posix/quota',
        `aliases: ['disk/q'], options: sdk.z.strictObject({ n: sdk.z.number() })`,
      ),
    });
    const selection = await check({ isolation: ['disk/q', 'posix/quota'], options: { 'disk/q': { n: 1 } } });
    expect(selection.isolation.filter((name) => name === 'posix/quota')).toHaveLength(1);
  });
});

describe('loading', () => {
  test.each([
    ['throws', 'throw new Error("no licence");', 'PLUGIN_LOAD_FAILED', /no licence/],
    ['does not parse', 'export default {{', 'PLUGIN_LOAD_FAILED', /./],
    ['exports nothing', 'export const x = 1;', 'PLUGIN_EXPORT_INVALID', /object is expected/],
    ['exports nonsense', 'export default { isolators: 5 };', 'PLUGIN_EXPORT_INVALID', /must be an array/],
    [
      'defines nothing bad',
      'sdk.definePlugin({ isolators: [{ name: "X" }] });',
      'PLUGIN_EXPORT_INVALID',
      /name/,
    ],
    [
      'does not define what it lists',
      'export default sdk.definePlugin({});',
      'PLUGIN_EXPORT_INVALID',
      /lists the isolator/,
    ],
    [
      'defines one twice',
      'const i = { name: "acme/broken", implementation: Fake }; export default { isolators: [i, i] };',
      'PLUGIN_EXPORT_INVALID',
      /twice/,
    ],
  ])('one that %s', async (what, code, expected, message) => {
    const name = `broken-${what.replaceAll(' ', '-')}`;
    install(name, { isolators: ['acme/broken'], code });
    const error = await refusal(check({ isolation: ['acme/broken'], plugins: [name] }));
    expect(error).toMatchObject({ code: expected });
    expect(error.message).toMatch(message);
    expect(error.message).toContain(name);
  });

  test('one for another SDK is not even imported', async () => {
    install('newer', { isolators: ['acme/newer'], sdk: '^99.0.0', code: 'throw new Error("imported")' });
    install('unsaid', { isolators: ['acme/unsaid'], sdk: null, code: 'throw new Error("imported")' });
    const error = await refusal(check({ isolation: ['acme/newer'], plugins: ['newer'] }));
    expect(error).toMatchObject({ code: 'PLUGIN_SDK_MISMATCH' });
    expect(error.message).toMatch(/\^99\.0\.0, and 1\.\d+\.\d+ runs/);
    expect(await refusal(check({ isolation: ['acme/unsaid'], plugins: ['unsaid'] }))).toMatchObject({
      code: 'PLUGIN_SDK_MISMATCH',
    });
  });

  test('transpiled to CommonJS, with its default one level deeper', async () => {
    install('@caisson/acme-cjs', {
      isolators: ['acme/cjs'],
      code: 'export default { default: sdk.definePlugin({ isolators: [{ name: "acme/cjs", implementation: Fake }] }) };',
    });
    expect((await check({ isolation: ['acme/cjs'] })).isolation).toContain('acme/cjs');
  });
});

describe('requirements', () => {
  test('of all isolators come in one message', async () => {
    install('@caisson/acme-a', {
      isolators: ['acme/a'],
      code: isolator('acme/a', `requires: { platform: 'plan9', isolators: ['acme/b'], launcher: 'other' }`),
    });
    install('@caisson/acme-c', {
      isolators: ['acme/c'],
      code: isolator('acme/c', `requires: { host: () => 'the moon is wrong', conflicts: ['acme/a'] }`),
    });
    const error = await refusal(check({ launcher: 'posix', isolation: ['acme/a', 'acme/c'] }));
    expect(error).toMatchObject({ code: 'REQUIREMENTS_UNMET' });
    for (const part of [
      /acme\/a needs plan9; this is/,
      /acme\/a needs the launcher other; posix is chosen/,
      /acme\/a needs the isolator acme\/b: add it/,
      /acme\/c: the moon is wrong/,
      /acme\/c cannot be enabled with acme\/a/,
    ])
      expect(error.message).toMatch(part);
  });

  test('two filesystem isolators exclude each other, told once', async () => {
    for (const name of ['one', 'two'])
      install(`third-${name}`, {
        isolators: [`filesystem/${name}`],
        code: isolator(`filesystem/${name}`, `requires: { conflicts: ['filesystem/*'] }`),
      });
    const error = await refusal(
      check({ isolation: ['filesystem/one', 'filesystem/two'], plugins: ['third-one', 'third-two'] }),
    );
    expect((error.details as { problems: string[] }).problems).toEqual([
      'filesystem/one and filesystem/two exclude each other: enable one of them',
    ]);
  });

  test('an isolator comes after those that it requires; the rest as configured', async () => {
    for (const [name, needs] of [
      ['a', `['acme/c']`],
      ['b', '[]'],
      ['c', '[]'],
    ])
      install(`@caisson/acme-${name}`, {
        isolators: [`acme/${name}`],
        code: isolator(`acme/${name}`, `requires: { isolators: ${needs} }`),
      });
    const { isolation } = await check({ isolation: ['acme/a', 'acme/b', 'acme/c'] });
    expect(isolation.filter((name) => name.startsWith('acme/'))).toEqual(['acme/c', 'acme/a', 'acme/b']);
  });

  test('and after those that it names, where they are enabled', async () => {
    install('@caisson/acme-a', {
      isolators: ['acme/a'],
      code: isolator('acme/a', `requires: { after: ['acme/b', 'acme/absent'] }`),
    });
    install('@caisson/acme-b', { isolators: ['acme/b'] });
    const { isolation } = await check({ isolation: ['acme/a', 'acme/b'] });
    expect(isolation.filter((name) => name.startsWith('acme/'))).toEqual(['acme/b', 'acme/a']);
  });

  test('an isolator comes before those that it wants to be before, where they are enabled', async () => {
    install('@caisson/acme-a', { isolators: ['acme/a'] });
    install('@caisson/acme-b', {
      isolators: ['acme/b'],
      code: isolator('acme/b', `requires: { before: ['acme/*', 'other/thing'] }`),
    });
    const { isolation } = await check({ isolation: ['acme/a', 'acme/b'] });
    expect(isolation.indexOf('acme/b')).toBeLessThan(isolation.indexOf('acme/a'));
  });

  test('a circle is refused', async () => {
    for (const [name, other] of [
      ['x', 'y'],
      ['y', 'x'],
    ])
      install(`@caisson/acme-${name}`, {
        isolators: [`acme/${name}`],
        code: isolator(`acme/${name}`, `requires: { isolators: ['acme/${other}'] }`),
      });
    expect((await refusal(check({ isolation: ['acme/x', 'acme/y'] }))).message).toMatch(
      /circle: acme\/x > acme\/y > acme\/x/,
    );
  });

  test('the launcher is the one that the isolators ask for', async () => {
    install('@caisson/acme-a', {
      isolators: ['acme/a'],
      code: isolator('acme/a', `requires: { launcher: 'acme' }`),
    });
    install('@caisson/launcher-acme', {
      launchers: ['acme'],
      code: 'export default sdk.definePlugin({ launchers: [{ name: "acme", implementation: Fake }] });',
    });
    expect(await check({ isolation: ['acme/a'] })).toMatchObject({ launcher: 'acme' });
  });
});

describe('alternatives', () => {
  test('the first that this host can run is taken, and the others say why not', async () => {
    install('@caisson/acme-a', {
      isolators: ['acme/a'],
      code: isolator('acme/a', `requires: { platform: 'plan9' }`),
    });
    install('@caisson/acme-b', { isolators: ['acme/b'] });
    const alternatives = [
      { isolation: ['acme/nowhere'] },
      { isolation: ['acme/a'] },
      { isolation: ['acme/b'] },
    ];
    expect(await check({ alternatives })).toMatchObject({
      alternative: 2,
      skipped: [
        { index: 0, reasons: [expect.stringMatching(/acme\/nowhere.*npm install/)] },
        { index: 1, reasons: [expect.stringMatching(/needs plan9/)] },
      ],
    });
    const error = await refusal(check({ alternatives: alternatives.slice(0, 2) }));
    expect(error).toMatchObject({ code: 'ALTERNATIVES_EXHAUSTED' });
    expect(error.message).toMatch(/plan9/);
  });
});

describe('options', () => {
  const disk = () =>
    install('@caisson/acme-disk', {
      isolators: ['acme/disk'],
      code: isolator(
        'acme/disk',
        `options: sdk.z.strictObject({
           enforce: sdk.z.boolean().meta({ flag: 'enforce_container_disk_quota' }).default(false),
           interval: sdk.durationOption().default(15000).meta({ flag: 'container_disk_watch_interval' }),
           handle: sdk.z.number().optional().meta({ flag: ['primary_handle'] }),
         })`,
        'constructor(options) { globalThis.seenOptions = options; } apply() {}',
      ).replace(
        'sdk.injectable()(Made);',
        'sdk.injectable()(Made); sdk.inject(sdk.IsolatorOptions)(Made, undefined, 0);',
      ),
    });
  const seen = globalThis as { seenOptions?: unknown };

  test('are validated, defaulted and handed over', async () => {
    disk();
    const configuration = await configure({
      isolation: ['acme/disk'],
      options: { 'acme/disk': { enforce: true } },
    });
    const containerizer = await Containerizer.create(configuration, { log: new FakeLog() });
    expect(seen.seenOptions).toEqual({ enforce: true, interval: 15_000 });
    await containerizer.close();
  });

  test.each([
    ['unknown', { enfroce: true }, /options\["acme\/disk"\]\.enfroce: unknown key/],
    ['of a wrong type', { enforce: 'yes' }, /options\["acme\/disk"\]\.enforce: expected boolean; got "yes"/],
    ['no duration', { interval: '5' }, /options\["acme\/disk"\]\.interval: must be a duration.*got "5"/],
  ])('%s are refused with their path', async (_what, options, message) => {
    disk();
    const error = await refusal(check({ isolation: ['acme/disk'], options: { 'acme/disk': options } }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(error.message).toMatch(message);
  });

  test('of nobody are refused; of an isolator that is left out for now they stay', async () => {
    disk();
    expect((await refusal(check({ options: { 'acme/dusk': {} } }))).message).toMatch(/acme\/dusk/);
    await check({ options: { 'acme/disk': {} } });
    install('@caisson/acme-plain', { isolators: ['acme/plain'] });
    expect(
      (await refusal(check({ isolation: ['acme/plain'], options: { 'acme/plain': { n: 1 } } }))).message,
    ).toMatch(/n: unknown key/);
  });

  test('flags of Mesos reach the isolator that claims them', async () => {
    disk();
    const configuration = await configure(
      { isolation: ['acme/disk'], options: { 'acme/disk': { interval: '1mins' } } },
      {
        enforce_container_disk_quota: true,
        container_disk_watch_interval: '2mins',
        primary_handle: '0x0010',
      },
    );
    const containerizer = await Containerizer.create(configuration, { log: new FakeLog() });
    expect(seen.seenOptions).toEqual({ enforce: true, interval: 120_000, handle: 16 });
    await containerizer.close();
    expect(await refusal(check({ isolation: [] }, { enforce_container_disk_quota: true }))).toMatchObject({
      code: 'FLAG_UNKNOWN',
    });
  });
});

test('a flag that several isolators know reaches each of them', async () => {
  const seen = globalThis as { seenRoots?: string[] };
  seen.seenRoots = [];
  for (const name of ['one', 'two'])
    install(`@caisson/acme-${name}`, {
      isolators: [`acme/${name}`],
      code: isolator(
        `acme/${name}`,
        `options: sdk.z.strictObject({ root: sdk.z.string().meta({ flag: 'cgroups_root' }).default('x') })`,
        'constructor({ root }) { globalThis.seenRoots.push(root); } apply() {}',
      ).replace(
        'sdk.injectable()(Made);',
        'sdk.injectable()(Made); sdk.inject(sdk.IsolatorOptions)(Made, undefined, 0);',
      ),
    });
  const configuration = await configure({ isolation: ['acme/one', 'acme/two'] }, { cgroups_root: 'mine' });
  const containerizer = await Containerizer.create(configuration, { log: new FakeLog() });
  expect(seen.seenRoots).toEqual(['mine', 'mine']);
  await containerizer.close();
});

describe('creating', () => {
  test.each([
    [
      'a constructor that throws',
      `constructor() { throw new Error('no luck'); }`,
      'PLUGIN_START_FAILED',
      /acme\/bad.*no luck/,
    ],
    ['no apply', '', 'PLUGIN_START_FAILED', /no method `apply`/],
    [
      'an apply that throws',
      `apply() { throw new Error('no luck'); }`,
      'PLUGIN_START_FAILED',
      /acme\/bad.*no luck/,
    ],
    [
      "another one's name",
      `apply(hooks) { hooks.prepare.tap('acme/other', () => {}); }`,
      'TAP_REFUSED',
      /acme\/bad: tap of prepare.*"acme\/other"/,
    ],
    [
      'two taps of one phase',
      `apply(hooks) { hooks.prepare.tap('acme/bad', () => {}); hooks.prepare.tap('acme/bad', () => {}); }`,
      'TAP_REFUSED',
      /second/,
    ],
    [
      'stage',
      `apply(hooks) { hooks.prepare.tap({ name: 'acme/bad', stage: -1 }, () => {}); }`,
      'TAP_REFUSED',
      /`stage`/,
    ],
    [
      'before',
      `apply(hooks) { hooks.prepare.tap({ name: 'acme/bad', before: 'x' }, () => {}); }`,
      'TAP_REFUSED',
      /`before`/,
    ],
  ])('%s is refused, and leaves nothing', async (_what, body, code, message) => {
    install('@caisson/acme-bad', { isolators: ['acme/bad'], code: isolator('acme/bad', '', body) });
    const configuration = await configure({ isolation: ['acme/bad'] });
    const error = await refusal(Containerizer.create(configuration, { log: new FakeLog() }));
    expect(error).toMatchObject({ code });
    expect(error.message).toMatch(message);
    // The directory is free for the next one.
    const containerizer = await Containerizer.create(await configure({}), { log: new FakeLog() });
    await containerizer.close();
  });

  test('services are shared, and closed in the end', async () => {
    const events: string[] = [];
    Object.assign(globalThis, { serviceEvents: events });
    install('@caisson/acme-served', {
      isolators: ['acme/served', 'acme/too'],
      code: `
        const Token = Symbol.for('acme.Service');
        class Service { constructor() { serviceEvents.push('made'); } close() { serviceEvents.push('closed'); } }
        sdk.injectable()(Service);
        class Made { constructor(service, host, log) { serviceEvents.push(service.constructor.name, host.launcher); log.warn({}, 'hello'); } apply() {} }
        class Too extends Made {}
        for (const each of [Made, Too]) {
          sdk.injectable()(each);
          [Token, sdk.HostEnvironment, sdk.Logger].forEach((token, index) => sdk.inject(token)(each, undefined, index));
        }
        export default sdk.definePlugin({
          isolators: [{ name: 'acme/served', implementation: Made }, { name: 'acme/too', implementation: Too }],
          services: [{ token: Token, implementation: Service }],
        });`,
    });
    const log = new FakeLog();
    const containerizer = await Containerizer.create(
      await configure({ isolation: ['acme/served', 'acme/too'] }),
      { log },
    );
    expect(events).toEqual(['made', 'Service', 'posix', 'Service', 'posix']);
    expect(log.lines).toContainEqual({
      level: 'warn',
      message: 'hello',
      fields: { isolator: 'acme/served' },
    });
    await containerizer.close();
    expect(events.at(-1)).toBe('closed');
  });
});

test('a rejection that nobody handled is known by its stack', async () => {
  install('@caisson/acme-a', {
    isolators: ['acme/a'],
    code: isolator('acme/a', '', 'apply() { globalThis.strayError = new Error("stray"); }'),
  });
  const containerizer = await Containerizer.create(await configure({ isolation: ['acme/a'] }), {
    log: new FakeLog(),
  });
  expect(containerizer.isolatorOf((globalThis as { strayError?: unknown }).strayError)).toBe('acme/a');
  expect(containerizer.isolatorOf(new Error('ours'))).toBeUndefined();
  await containerizer.close();
});

test('the report names everything installed, with what it taps and why it cannot run', async () => {
  install('@caisson/acme-a', {
    isolators: ['acme/a'],
    code: isolator(
      'acme/a',
      '',
      `apply(hooks) { hooks.cleanup.tap('acme/a', () => {}); hooks.prepare.tap('acme/a', () => {}); }`,
    ),
  });
  install('@caisson/acme-b', {
    isolators: ['acme/b'],
    code: isolator('acme/b', `requires: { platform: 'plan9' }`),
  });
  install('@caisson/acme-broken', { isolators: ['acme/broken'], code: 'throw new Error("no licence")' });
  const report = await reportPlugins(await configure({ isolation: ['acme/a'] }));
  const lineOf = (name: string) => report.find((line) => line.name === name);
  expect(lineOf('acme/a')).toMatchObject({
    kind: 'isolator',
    package: '@caisson/acme-a',
    version: '1.2.3',
    enabled: true,
    hooks: ['prepare', 'cleanup'],
    usable: true,
  });
  expect(lineOf('acme/b')).toMatchObject({
    enabled: false,
    usable: false,
    reasons: [expect.stringMatching(/plan9/)],
  });
  expect(lineOf('acme/broken')).toMatchObject({
    usable: false,
    reasons: [expect.stringMatching(/no licence/)],
  });
  expect(lineOf('posix')).toMatchObject({
    kind: 'launcher',
    package: '@caisson/core',
    enabled: true,
    usable: true,
  });
});

test('the schema has the options of what is installed', async () => {
  install('@caisson/acme-a', {
    isolators: ['acme/a'],
    code: isolator(
      'acme/a',
      `options: sdk.z.strictObject({ interval: sdk.durationOption().default(5).describe('how often') })`,
    ),
  });
  const schema = await configurationSchema(await configure({}));
  expect(schema).toMatchObject({
    type: 'object',
    additionalProperties: false,
    properties: {
      isolation: { type: 'array' },
      options: {
        properties: { 'acme/a': { properties: { interval: { type: 'string', description: 'how often' } } } },
      },
    },
  });
});
