/** `caisson config`, `plugins` and `doctor` from outside. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Folder } from './caisson.js';

const folder = new Folder({ isolation: ['filesystem/posix'], timeouts: { prepare: '90secs' } });
afterAll(() => folder.remove());

describe('caisson config', () => {
  it('prints each value with its source, as a file that says the same', async () => {
    const { stdout } = await folder.caisson(['config', 'print', '--launcher', 'posix']);
    expect(stdout).toMatch(/^isolation: \["filesystem\/posix"\] # file .*caisson\.config\.json$/m);
    expect(stdout).toMatch(/^launcher: "posix" # flag --launcher$/m);
    expect(stdout).toMatch(/^workDir: .* # variable CAISSON_WORK_DIR$/m);
    expect(stdout).toMatch(/^timeouts: .*"prepare":"90secs".* # prepare: file /m);
    const copy = join(folder.path, 'copy.yaml');
    writeFileSync(copy, stdout);
    const again = await folder.caisson(['config', 'print', '--json', '--config', copy]);
    const first = await folder.caisson(['config', 'print', '--json', '--launcher', 'posix']);
    expect(JSON.parse(again.stdout).values).toEqual(JSON.parse(first.stdout).values);
  });

  it('checks: says which isolation this host gives, and fails where a run would', async () => {
    expect(await folder.caisson(['config', 'check'])).toMatchObject({
      status: 0,
      stdout: 'launcher posix, isolation filesystem/posix\n',
    });
    const wrong = await folder.caisson(['config', 'check', '--isolation', 'acme/radar']);
    expect(wrong).toMatchObject({ status: 125, stderr: expect.stringContaining('acme/radar') });
  });

  it('prints a JSON Schema', async () => {
    const { stdout } = await folder.caisson(['config', 'schema']);
    const schema = JSON.parse(stdout);
    expect(schema).toMatchObject({ $schema: expect.stringContaining('draft-07'), type: 'object' });
    expect(Object.keys(schema.properties.options.properties)).toContain('namespaces/pid');
  });
});

describe('caisson plugins', () => {
  it('lists isolators and launchers with what they tap and whether they run here', async () => {
    const { stdout } = await folder.caisson(['plugins']);
    expect(stdout).toMatch(/^NAME +KIND +PACKAGE +VERSION +ENABLED +HOOKS +RUNS HERE$/m);
    expect(stdout).toMatch(
      /^filesystem\/posix +isolator +@caisson\/filesystem-posix +1\.\d+\.\d+ +yes +recover prepare update cleanup +yes$/m,
    );
    expect(stdout).toMatch(/^posix +launcher +@caisson\/core /m);
  });
});

describe('caisson doctor', () => {
  it('says what the host offers and what the configuration gets', async () => {
    const { stdout, status } = await folder.caisson(['doctor']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^isolation +launcher posix, isolation filesystem\/posix$/m);
  });

  it('answers when the configuration is wrong: that is what it is asked about', async () => {
    const { stdout, status } = await folder.caisson(['doctor', '--isolation', 'acme/radar']);
    expect({ stdout, status }).toEqual({
      stdout: expect.stringContaining('unknown isolator acme/radar'),
      status: 0,
    });
  });
});

describe('caisson', () => {
  it.each([[['--version']], [['-V']]])('%j prints the version', async (args) => {
    expect(await folder.caisson(args)).toMatchObject({
      stdout: expect.stringMatching(/^1\.\d+\.\d+\n$/),
      status: 0,
    });
  });

  it('prints help on stdout when asked, on stderr when it was needed', async () => {
    expect(await folder.caisson(['--help'])).toMatchObject({
      stdout: expect.stringContaining('Usage'),
      status: 0,
    });
    expect(await folder.caisson([])).toMatchObject({ stderr: expect.stringContaining('Usage'), status: 125 });
  });

  it('suggests what may have been meant', async () => {
    const { stderr, status } = await folder.caisson(['runn']);
    expect({ stderr, status }).toEqual({
      stderr: expect.stringContaining("unknown command 'runn' (Did you mean run?)"),
      status: 125,
    });
  });
});
