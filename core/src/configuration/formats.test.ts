import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cosmiconfig } from 'cosmiconfig';
import { TemporaryDirectory } from '../testing/fakes.js';
import { parseFile } from './formats.js';

describe('a configuration file of root, in a working directory of others (threat model K1)', () => {
  let directory: TemporaryDirectory;
  const before = process.cwd();
  const at = (name: string) => join(directory.path, name);

  beforeEach(() => {
    directory = new TemporaryDirectory();
    writeFileSync(at('caisson.config.yaml'), 'isolation: [acme/a]\n$import: ./theirs.yaml\n');
    writeFileSync(at('theirs.yaml'), 'launcher: theirs\n');
    mkdirSync(at('.config'));
    const write = `require('node:fs').writeFileSync(${JSON.stringify(at('executed'))}, '')`;
    writeFileSync(at('.config/config.cjs'), `${write}; module.exports = {};`);
    process.chdir(directory.path);
  });
  afterEach(() => {
    process.chdir(before);
    directory.remove();
  });

  test('cosmiconfig executes their code, and reads what the file imports', async () => {
    const { config } = (await cosmiconfig('caisson').load(at('caisson.config.yaml'))) ?? {};
    expect(config).toEqual({ isolation: ['acme/a'], launcher: 'theirs' });
    expect(existsSync(at('executed'))).toBe(true);
  });

  test('nothing else is read or executed', async () => {
    expect(await parseFile(at('caisson.config.yaml'))).toEqual({
      isolation: ['acme/a'],
      $import: './theirs.yaml',
    });
    expect(existsSync(at('executed'))).toBe(false);
  });

  test('a name that no format has is refused', async () => {
    writeFileSync(at('caisson.toml'), 'isolation = []');
    await expect(parseFile(at('caisson.toml'))).rejects.toThrow('its name ends in .toml');
  });
});
