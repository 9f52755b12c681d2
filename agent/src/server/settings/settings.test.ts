import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { settingsOf } from './settings.js';
import { readSettings } from './sources.js';

const directory = mkdtempSync(join(tmpdir(), 'caisson-settings-'));
const file = join(directory, 'credentials');
writeFileSync(file, 'ann apple\n');
chmodSync(file, 0o600);
afterAll(() => rmSync(directory, { recursive: true }));

const settings = (flags: Record<string, string | boolean>, environment = {}) =>
  settingsOf(readSettings(flags, environment).settings, '/run/caisson');

describe('settings of the agent', () => {
  test('by default: the socket alone', () => {
    expect(settings({})).toMatchObject({
      socket: '/run/caisson/agent.sock',
      tcp: undefined,
      socketPolicy: { protects: [] },
      gcDelayMs: 7 * 86_400_000,
    });
  });

  test.each(['http_credentials', 'http-credentials', 'httpCredentials'])('%s is one setting', (name) => {
    expect(settings({ [name]: file }).socketPolicy.credentials).toBeDefined();
    expect(settings({ [name]: `file://${file}` }).socketPolicy.credentials).toBeDefined();
  });

  test('a flag wins over CAISSON_*, that over MESOS_*', () => {
    const environment = { CAISSON_LOG_LEVEL: 'warn', MESOS_LOG_LEVEL: 'error', MESOS_GC_DELAY: '2hrs' };
    expect(settings({}, environment)).toMatchObject({ logLevel: 'warn', gcDelayMs: 7_200_000 });
    expect(settings({ 'log-level': 'debug' }, environment).logLevel).toBe('debug');
  });

  test('what is not its own is left to the configuration', () => {
    const { flags, environment } = readSettings(
      { isolation: 'x', work_dir: '/w', ip: '::1' },
      { MESOS_LAUNCHER: 'posix', MESOS_SANDBOX: '/x' },
    );
    expect(flags).toEqual({ isolation: 'x', work_dir: '/w' });
    expect(environment.CAISSON_LAUNCHER).toBe('posix');
    expect(environment).not.toHaveProperty('CAISSON_SANDBOX');
  });

  test('a default ContainerInfo, as JSON or in a file; what this agent cannot give is refused at once', () => {
    const volume = { mode: 'RW', container_path: '/tmp', host_path: '.private/tmp' };
    const text = JSON.stringify({ type: 'MESOS', volumes: [volume] });
    const path = join(directory, 'info.json');
    writeFileSync(path, text);
    const source = { type: 'SANDBOX_PATH', of: 'SELF', path: '.private/tmp' };
    for (const given of [text, path, `file://${path}`])
      expect(settings({ default_container_info: given }).defaultContainer).toEqual({
        volumes: [{ containerPath: '/tmp', mode: 'RW', source }],
      });
    expect(settings({}).defaultContainer).toEqual({});
    for (const wrong of ['{', '/does/not/exist', '{"volumes": [{}]}', '{"type": "DOCKER"}'])
      expect(() => settings({ default_container_info: wrong })).toThrow(
        expect.objectContaining({
          code: 'SETTING_INVALID',
          message: expect.stringContaining('default_container_info: '),
        }),
      );
  });

  test.each([
    [{ port: 'x' }, 'flag --port: must be a whole number'],
    [{ port: '65536' }, 'flag --port: must be a port'],
    [{ gc_delay: '5' }, 'flag --gc_delay: must be a duration'],
    [{ gc_disk_headroom: '2' }, 'must be a number from 0 to 1'],
    [{ 'tls-cert': 'x', port: '1' }, 'give both'],
    [{ authenticate_http_readonly: true }, 'needs --http-credentials'],
  ])('%j is refused: %s', (flags, problem) => {
    expect(() => settings(flags)).toThrow(problem);
  });
});

describe('TCP (A1)', () => {
  test('is refused without credentials, by loopback too', () => {
    const all: Record<string, string>[] = [
      { port: '5051' },
      { ip: '127.0.0.1' },
      { ip: '0.0.0.0', port: '1' },
    ];
    for (const flags of all)
      expect(() => settings(flags)).toThrow(expect.objectContaining({ code: 'TCP_UNAUTHENTICATED' }));
  });

  test('asks for credentials, to read too', () => {
    const { tcp, tcpPolicy, socketPolicy } = settings({ ip: '0.0.0.0', http_credentials: file });
    expect(tcp).toMatchObject({ ip: '0.0.0.0', port: 5051 });
    expect(tcpPolicy.protects).toEqual(['read', 'write']);
    expect(socketPolicy.protects).toEqual([]);
  });

  test('is open to all only by the flag that says so', () => {
    expect(settings({ port: '1', 'tcp-without-authentication': true }).tcpPolicy.protects).toEqual([]);
  });
});
