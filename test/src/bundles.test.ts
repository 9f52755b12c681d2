/** The builds that users run: what a package gives to both kinds of modules, and starts with and without V8's caches. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { repository } from './caisson.js';

/** What a program prints; it is run in a folder from which all packages are found. */
function run(kind: 'module' | 'commonjs', program: string, options: readonly string[] = []): string {
  return execFileSync(process.execPath, [...options, `--input-type=${kind}`, '-e', program], {
    cwd: join(repository, 'test'),
    encoding: 'utf8',
  });
}

const PACKAGES = [
  ['@caisson/plugin-sdk', 'z, inject, LaunchPlan, definePlugin'],
  ['@caisson/plugin-sdk/testing', 'describeIsolatorContract, fakeContainer'],
  ['@caisson/plugin-sdk/failpoint', 'failpoint'],
  ['@caisson/core', 'Containerizer, loadConfiguration'],
  ['@caisson/linux', 'SyscallError'],
  ['@caisson/linux/syscalls', 'openat2, SyscallError'],
  ['@caisson/linux/testing', 'withCensus'],
  ['@caisson/agent', 'main'],
] as const;

describe.each(PACKAGES)('%s', (specifier, names) => {
  test(`brings ${names} to modules of both kinds`, () => {
    const defined = `console.log([${names}].every((each) => each !== undefined))`;
    expect(run('module', `import { ${names} } from '${specifier}'; ${defined}`)).toBe('true\n');
    expect(run('commonjs', `const { ${names} } = require('${specifier}'); ${defined}`)).toBe('true\n');
  });
});

test('all share one SDK', () => {
  const program = `
    import * as sdk from '@caisson/plugin-sdk';
    import { createRequire } from 'node:module';
    const fromCore = createRequire(createRequire(import.meta.url).resolve('@caisson/core'))('@caisson/plugin-sdk');
    console.log(fromCore.LaunchPlan === sdk.LaunchPlan);`;
  expect(run('module', program)).toBe('true\n');
});

test('stack traces lead to the sources', () => {
  const program = `
    import { parseContainerId } from '@caisson/plugin-sdk';
    try { parseContainerId('/'); } catch (error) { console.log(error.stack); }`;
  expect(run('module', program)).toMatch(/at \w*parseContainerId .*plugin-sdk\/bundle\/index-\w+\.js:\d+/);
  expect(run('module', program, ['--enable-source-maps'])).toMatch(/plugin-sdk\/src\/container-id\.ts:\d+/);
});

describe('compiled ahead', () => {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-bundle-'));
  const bundle = join(directory, 'bundle');
  const isCache = (name: string) => name.endsWith('.cache');
  beforeAll(() => cpSync(join(repository, 'core/bundle'), bundle, { recursive: true }));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** Whether V8 took the cache; undefined if there was none. */
  const taken = () =>
    run(
      'commonjs',
      `const vm = require('node:vm');
      const { Script } = vm;
      vm.Script = class extends Script {
        constructor(source, options) {
          super(source, options);
          if (options?.filename?.startsWith(${JSON.stringify(bundle)})) console.log(this.cachedDataRejected);
        }
      };
      const { Module } = require('node:module');
      const resolve = Module._resolveFilename;
      Module._resolveFilename = (id, parent, ...more) =>
        resolve(id, id.startsWith('@caisson/') ? module : parent, ...more);
      const { loadConfiguration } = require(${JSON.stringify(bundle)});
      loadConfiguration({ directory: '/' }).then(({ values }) => console.log(values.alternatives));`,
    );

  test('V8 takes what it made at build time', () => {
    expect(readdirSync(bundle).filter(isCache)).toHaveLength(1);
    expect(taken()).toBe('false\n[]\n');
  });

  test('a cache that is damaged, or of other options of V8, is not taken, and nothing else is different', () => {
    const [cache = ''] = readdirSync(bundle).filter(isCache);
    writeFileSync(join(bundle, cache), 'no cache');
    expect(taken()).toBe('true\n[]\n');
    rmSync(join(bundle, cache));
    expect(taken()).toBe('undefined\n[]\n');
  });
});
