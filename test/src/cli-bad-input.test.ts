/**
 * Bad input: each a clear error, before anything is created. The folder's work and runtime directories must be as they
 * were, and nothing else may be left.
 */

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asNobody, Folder } from './caisson.js';

const folder = new Folder();
afterAll(() => folder.remove());
for (const name of ['acme-newer-sdk', 'acme-throws-at-import', 'acme-exports-nonsense'])
  folder.install(`test/fixtures/broken/${name}`);
writeFileSync(join(folder.path, 'file'), '');

const posix = { isolation: ['filesystem/posix'] };
const linux = { isolation: ['filesystem/linux', 'namespaces/pid'] };

/** The whole error: message and hint. */
async function refusal(configuration: object, args: readonly string[], prefix: readonly string[] = []) {
  folder.configure(configuration);
  const { status, stderr, stdout } = await folder.caisson(['run', ...args], { prefix });
  expect({ status, stdout }).toEqual({ status: 125, stdout: '' });
  return stderr;
}

/** The first start makes the directories that all containers share. */
beforeAll(async () => {
  folder.configure(posix);
  await folder.caisson(['run', '--', 'true']);
});

describe('caisson run refuses', () => {
  withCensus({ directories: folder.directories });

  describe('a configuration with', () => {
    it.each<[string, object, RegExp]>([
      [
        'an unknown isolator',
        { isolation: ['filesystem/posix', 'acme/radar'] },
        /unknown isolator acme\/radar[\s\S]*npm install @caisson\/acme-radar/,
      ],
      [
        'a plugin that is not installed',
        { ...posix, plugins: ['acme-radar'] },
        /plugin acme-radar is not installed[\s\S]*npm install acme-radar/,
      ],
      [
        'a plugin that does not load',
        { isolation: ['filesystem/posix', 'acme/throws-at-import'], plugins: ['acme-throws-at-import'] },
        /plugin acme-throws-at-import does not load[\s\S]*acme cannot find its licence/,
      ],
      [
        'a plugin for another SDK',
        { isolation: ['filesystem/posix', 'acme/newer-sdk'], plugins: ['acme-newer-sdk'] },
        /acme-newer-sdk is made for @caisson\/plugin-sdk \^99\.0\.0, and 1\.\d+\.\d+ runs/,
      ],
      [
        'a plugin that exports nonsense',
        { isolation: ['filesystem/posix', 'acme/exports-nonsense'], plugins: ['acme-exports-nonsense'] },
        /plugin acme-exports-nonsense: .*"isolators" must be an array/,
      ],
      ['an unknown key', { ...posix, isolators: [] }, /caisson\.config\.json: isolators/],
      ['a wrong type', { ...posix, timeouts: { prepare: true } }, /timeouts\.prepare/],
      [
        'two filesystem isolators',
        { isolation: ['filesystem/posix', 'filesystem/linux'] },
        /filesystem\/linux.*filesystem\/posix|filesystem\/posix.*filesystem\/linux/,
      ],
      [
        'an isolator without the one it needs',
        { isolation: ['namespaces/pid'] },
        /namespaces\/pid.*filesystem\/linux/,
      ],
    ])('%s', async (_what, configuration, message) => {
      expect(await refusal(configuration, ['--', 'true'])).toMatch(message);
    });

    needs(it, { root: true }).each<[string, object, RegExp]>([
      [
        'an unknown option',
        { options: { 'namespaces/pid': { colour: 'red' } } },
        /options\["namespaces\/pid"\]\.colour: unknown key/,
      ],
      [
        'a wrong type of an option',
        { options: { 'namespaces/pid': { disallowSharingAgentPidNamespace: 'yes' } } },
        /options\["namespaces\/pid"\]\.disallowSharingAgentPidNamespace: expected boolean; got "yes"/,
      ],
    ])('%s', async (_what, configuration, message) => {
      expect(await refusal({ ...linux, ...configuration }, ['--', 'true'])).toMatch(message);
    });

    needs(it, asNobody.needs)('the launcher linux, without root', async () => {
      chmodSync(folder.path, 0o755);
      expect(await refusal(linux, ['--', 'true'], asNobody.prefix)).toMatch(/root/);
    });
  });

  describe('a container with', () => {
    it.each<[string, string[], RegExp]>([
      ['no command', [], /the command is empty/],
      ['an empty command', ['--', ''], /the command is empty/],
      [
        'an unknown flag',
        ['--colour', 'red', '--', 'true'],
        /unknown option '--colour'[\s\S]*caisson run --help/,
      ],
      ['an unknown flag of Mesos', ['--disk_colour=red', '--', 'true'], /--disk_colour: no such setting/],
      [
        'a flag that is not understood',
        ['--rlimit', 'NOFILE=many', '--', 'true'],
        /--rlimit "many" is not understood\s+write it like --rlimit NOFILE=1024:2048/,
      ],
      ['an unknown limit', ['--rlimit', 'COFFEE=1', '--', 'true'], /rlimits.*COFFEE/],
      ['an id with a slash', ['--name', 'a/b', '--', 'true'], /container id "a\/b".*"\/" is not allowed/],
      ['an id that leads out', ['--name', '..', '--', 'true'], /container id "\.\.".*a level is empty/],
      ['an unknown user', ['--user', 'mallory', '--', 'true'], /user "mallory"/],
    ])('%s', async (_what, args, message) => {
      expect(await refusal(posix, args)).toMatch(message);
    });

    needs(it, { root: true }).each<[string, string[], RegExp]>([
      [
        'a root filesystem that is missing',
        ['--rootfs', 'nowhere', '--', 'true'],
        /root filesystem .*\/nowhere: it does not exist/,
      ],
      [
        'a root filesystem that is a file',
        ['--rootfs', 'file', '--', 'true'],
        /root filesystem .*\/file: .*director/,
      ],
      ['an unknown user', ['--user', 'mallory', '--', 'true'], /user "mallory"/],
      ['an unknown capability', ['--effective-capabilities', 'FLY', '--', 'true'], /capability "FLY"/],
    ])('%s, on the launcher linux', async (_what, args, message) => {
      expect(await refusal(linux, args)).toMatch(message);
    });
  });
});
