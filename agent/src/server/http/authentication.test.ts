import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { InjectOptions } from 'fastify';
import { frame } from '../../record-io.js';
import { calls } from '../calls/index.js';
import { routes } from '../routes/index.js';
import { FakeAgent } from '../testing/fake-agent.js';
import { type AccessPolicy, Credentials } from './authentication.js';

const credentials = new Credentials({
  credentials: [
    { principal: 'ann', secret: 'apple' },
    { principal: 'bob', secret: 'b:c', rights: 'read-only' },
  ],
  tokens: [
    { principal: 'ci', token: 'token-rw' },
    { principal: 'watcher', token: 'token-ro', rights: 'read-only' },
  ],
});

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

const WRITERS = {
  'ann by secret': basic('ann:apple'),
  'ci by token': 'Bearer token-rw',
  lowercase: 'bearer token-rw',
};
const READERS = { 'bob by secret': basic('bob:b:c'), 'watcher by token': 'Bearer token-ro' };
const NOBODY = {
  'no header': undefined,
  'an empty header': '',
  'a wrong secret': basic('ann:apples'),
  'the secret of another': basic('ann:b:c'),
  'no secret': basic('ann'),
  'a token as secret': basic('ci:token-rw'),
  'a wrong token': 'Bearer token',
  'a secret as token': 'Bearer apple',
  'the token alone': 'token-rw',
  'another scheme': 'Digest token-rw',
};

const tcp: AccessPolicy = { credentials, protects: ['read', 'write'] };

/** As a message, or as a stream of one record. */
const optionsOf = (isStream: boolean, body: object): InjectOptions =>
  isStream
    ? {
        payload: frame(body),
        headers: { 'content-type': 'application/recordio', 'message-content-type': 'application/json' },
      }
    : { payload: JSON.stringify(body) };

/** Everything that can be asked: routes, and of the operator API each call. */
const asked = [
  ...routes
    .filter(({ right }) => right !== 'call')
    .map(({ method, path, right }) => ({
      name: `${method} ${path}`,
      right,
      options: { method, url: path } as InjectOptions,
    })),
  ...calls.map(({ type, right, following }) => ({
    name: type,
    right,
    options: optionsOf(following !== undefined, {
      type,
      [type.toLowerCase()]: {
        container_id: { value: 'nobody', parent: { value: 'web' } },
        command: { value: 'true' },
        path: '/containers/web',
        offset: 0,
        resources: [],
        level: 0,
        duration: { nanoseconds: 1 },
        type: 'CONTAINER_ID',
      },
    }),
  })),
];

describe('with authentication, every route and every call', () => {
  const agent = new FakeAgent({ policy: tcp });
  afterAll(() => agent.close());
  const statusFor = async (options: InjectOptions, authorization: string | undefined) =>
    statusWithin(agent, options, authorization === undefined ? {} : { authorization });

  test.each(asked)('$name (right: $right)', async ({ right, options }) => {
    for (const [who, header] of Object.entries(NOBODY))
      expect([who, await statusFor(options, header)]).toEqual([
        who,
        right === undefined ? expect.any(Number) : 401,
      ]);
    for (const [who, header] of Object.entries(READERS)) {
      const status = await statusFor(options, header);
      if (right === 'write') expect([who, status]).toEqual([who, 403]);
      else expect([401, 403]).not.toContain(status);
    }
    for (const header of Object.values(WRITERS))
      expect([401, 403]).not.toContain(await statusFor(options, header));
  });

  test('only /health is for everybody', () => {
    expect(routes.filter(({ right }) => right === undefined).map(({ path }) => path)).toEqual(['/health']);
  });

  test('what is refused has done nothing', async () => {
    agent.containers.calls.length = 0;
    const launch = { container_id: { value: 'x' }, command: { value: 'true' } };
    for (const authorization of [...Object.values(READERS), 'Bearer no'])
      await agent.call('LAUNCH_CONTAINER', launch, { headers: { authorization } });
    expect(agent.containers.calls).toEqual([]);
  });

  test('says how to authenticate', async () => {
    const { headers } = await agent.get('/state');
    expect(headers['www-authenticate']).toContain('Basic realm="mesos-agent-readwrite"');
  });

  test('nobody without credentials has a body parsed', async () => {
    expect(await agent.send({ payload: '{' })).toMatchObject({ status: 401 });
  });
});

/** A stream does not end by itself: its head is enough. */
async function statusWithin(
  agent: FakeAgent,
  options: InjectOptions,
  headers: Record<string, string>,
): Promise<number> {
  const response = await agent.app.inject({
    method: 'POST',
    url: '/api/v1',
    ...options,
    headers: { 'content-type': 'application/json', ...options.headers, ...headers },
    payloadAsStream: true,
  });
  response.stream().destroy();
  return response.statusCode;
}

describe('the Unix socket', () => {
  test.each([
    [{ credentials, protects: [] }, 200, 200],
    [{ credentials, protects: ['write'] }, 200, 401],
    [{ credentials, protects: ['read'] }, 401, 200],
    [{ credentials, protects: ['read', 'write'] }, 401, 401],
  ] as const)('asks for what is protected: %j', async (policy, reads, writes) => {
    const agent = new FakeAgent({ policy });
    expect((await agent.call('GET_VERSION')).status).toBe(reads);
    expect((await agent.call('RELOAD_CONFIG')).status).toBe(writes);
    expect((await agent.get('/version', { authorization: 'Bearer wrong' })).status).toBe(401);
    await agent.close();
  });
});

describe('a credentials file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-credentials-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const read = (content: string, mode = 0o600) => {
    const file = join(directory, 'credentials');
    writeFileSync(file, content);
    chmodSync(file, mode);
    return Credentials.read(file);
  };

  test('is JSON, or lines of Mesos', () => {
    expect(
      read('{"credentials":[{"principal":"ann","secret":"apple"}]}').find(basic('ann:apple'))?.name,
    ).toBe('ann');
    expect(read('ann apple\nbob banana\n').find(basic('bob:banana'))?.rights).toEqual(['read', 'write']);
  });

  test.each([
    ['others may read', '{}', 0o640, 'others may read it'],
    ['is no JSON', '{', 0o600, 'JSON'],
    ['says what nobody knows', '{"tokens":[{"principal":"a","token":"b","right":"all"}]}', 0o600, 'right'],
    ['has an empty secret', 'ann\n', 0o600, 'secret'],
  ])('is refused if it %s', (_what, content, mode, problem) => {
    expect(() => read(content, mode)).toThrow(problem);
  });
});
