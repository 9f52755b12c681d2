import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerConfig } from '@caisson/plugin-sdk';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { validateConfig } from './validate.js';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'caisson-validate-'));
  writeFileSync(join(directory, 'file'), '');
  symlinkSync('loop', join(directory, 'loop'));
  symlinkSync('/', join(directory, 'host'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const validate = (config: Partial<ContainerConfig>) => validateConfig({ argv: ['true'], ...config });
const refusal = (config: Partial<ContainerConfig>, code: string, why: RegExp) =>
  expect(() => validate(config)).toThrow(
    expect.objectContaining({ code, kind: 'invalid', message: expect.stringMatching(why) }),
  );

describe('a root filesystem', () => {
  test('that is a directory', () => {
    expect(validate({ rootfs: directory })).toBeUndefined();
  });

  test.each([
    ['relative', () => 'rootfs', /absolute/],
    ['missing', () => join(directory, 'absent'), /does not exist/],
    ['a file', () => join(directory, 'file'), /not a directory/],
    ['below a file', () => join(directory, 'file/x'), /not a directory/],
    ['a circle of links', () => join(directory, 'loop'), /circle/],
    ['the host, by a link', () => join(directory, 'host'), /root of the host/],
  ])('refused: %s', (_, path, why) => {
    refusal({ rootfs: path() }, 'ROOTFS_INVALID', why);
  });
});

describe('a user', () => {
  test('by name, with the groups of the host', () => {
    expect(validate({ user: 'root' })).toMatchObject({ uid: 0, gid: 0, name: 'root' });
    expect(validate({ user: 'daemon' })).toMatchObject({ uid: 1, gid: 1 });
  });

  test('by numbers, which no database changes', () => {
    expect(validate({ user: '0:0' })).toEqual({
      uid: 0,
      gid: 0,
      supplementaryGids: [],
      name: undefined,
      home: undefined,
    });
    expect(validate({ user: '12345:678' })).toMatchObject({ uid: 12345, gid: 678, supplementaryGids: [] });
    expect(validate({ user: '4294967294:4294967294' })).toMatchObject({ uid: 2 ** 32 - 2 });
  });

  test.each([
    'no-such-user',
    '4294967295',
    '-1',
    '0x0',
    '1000:',
    ':1',
    'root:no-such-group',
    '1:2:3',
    '99999999999',
  ])('refused: %s (F9: CVE-2024-40635)', (user) => {
    refusal({ user }, 'USER_UNKNOWN', /user/);
  });
});

describe('capabilities', () => {
  test('that exist', () => {
    expect(validate({ capabilities: { effective: ['CHOWN'], bounding: ['CHOWN', 'KILL'] } })).toBeUndefined();
    expect(validate({ capabilities: { effective: ['CHOWN'] } })).toBeUndefined();
    expect(validate({ capabilities: { bounding: ['CHOWN'] } })).toBeUndefined();
  });

  test('refused before anything is created', () => {
    refusal({ capabilities: { effective: ['NO_SUCH'] } }, 'CAPABILITY_UNKNOWN', /NO_SUCH/);
    refusal({ capabilities: { bounding: ['NO_SUCH'] } }, 'CAPABILITY_UNKNOWN', /NO_SUCH/);
    refusal({ capabilities: { effective: ['KILL'], bounding: [] } }, 'CAPABILITY_NOT_BOUNDED', /KILL/);
  });
});
