import { afterAll, describe, expect, test } from '@jest/globals';
import { calls } from '../calls/index.js';
import { FakeAgent } from '../testing/fake-agent.js';

const agent = new FakeAgent();
afterAll(() => agent.close());

const HEALTH = JSON.stringify({ type: 'GET_HEALTH' });
const JSON_BODY = { 'content-type': 'application/json' };
const code = (body: { error?: { code?: string } } | undefined) => body?.error?.code;

describe('the protocol of the operator API', () => {
  test('answers a call in its name', async () => {
    expect(await agent.call('GET_HEALTH')).toMatchObject({
      status: 200,
      body: { type: 'GET_HEALTH', get_health: { healthy: true } },
      headers: { 'content-type': expect.stringMatching(/^application\/json/) },
    });
  });

  test.each<[string, Record<string, string>, string, number, string]>([
    ['no Content-Type', { 'content-type': '' }, HEALTH, 400, 'MEDIA_TYPE_MISSING'],
    ['text', { 'content-type': 'text/plain' }, HEALTH, 415, 'MEDIA_TYPE_UNSUPPORTED'],
    [
      'a form, which a web page may send',
      { 'content-type': 'application/x-www-form-urlencoded' },
      HEALTH,
      415,
      'MEDIA_TYPE_UNSUPPORTED',
    ],
    ['protobuf', { 'content-type': 'application/x-protobuf' }, HEALTH, 415, 'MEDIA_TYPE_UNSUPPORTED'],
    [
      'recordio without Message-Content-Type',
      { 'content-type': 'application/recordio' },
      HEALTH,
      400,
      'MEDIA_TYPE_MISSING',
    ],
    [
      'recordio of text',
      { 'content-type': 'application/recordio', 'message-content-type': 'text/plain' },
      HEALTH,
      415,
      'MEDIA_TYPE_UNSUPPORTED',
    ],
    [
      'Message-Content-Type without recordio',
      { ...JSON_BODY, 'message-content-type': 'application/json' },
      HEALTH,
      415,
      'MEDIA_TYPE_UNSUPPORTED',
    ],
    ['an Accept that allows nothing', { ...JSON_BODY, accept: 'text/html' }, HEALTH, 406, 'NOT_ACCEPTABLE'],
    [
      'Accept recordio with an unknown Message-Accept',
      { ...JSON_BODY, accept: 'application/recordio', 'message-accept': 'text/html' },
      HEALTH,
      406,
      'NOT_ACCEPTABLE',
    ],
    [
      'Message-Accept without recordio',
      { ...JSON_BODY, 'message-accept': 'application/json' },
      HEALTH,
      406,
      'NOT_ACCEPTABLE',
    ],
    ['no JSON', JSON_BODY, '{', 400, 'REQUEST_MALFORMED'],
    ['no UTF-8', JSON_BODY, '\udc00', 400, 'REQUEST_MALFORMED'],
    ['no object', JSON_BODY, '[]', 400, 'REQUEST_MALFORMED'],
    ['null', JSON_BODY, 'null', 400, 'REQUEST_MALFORMED'],
    ['nothing', JSON_BODY, '', 400, 'REQUEST_MALFORMED'],
    ['an unknown call', JSON_BODY, '{"type":"MAKE_COFFEE"}', 400, 'CALL_UNKNOWN'],
    ['a call named as a property of objects', JSON_BODY, '{"type":"__proto__"}', 400, 'CALL_UNKNOWN'],
    ['UNKNOWN', JSON_BODY, '{"type":"UNKNOWN"}', 501, 'CALL_NOT_IMPLEMENTED'],
    ['a required member that is missing', JSON_BODY, '{"type":"GET_METRICS"}', 400, 'CALL_INVALID'],
    [
      'a stream for a call that is none',
      { 'content-type': 'application/recordio', 'message-content-type': 'application/json' },
      `${HEALTH.length}\n${HEALTH}`,
      415,
      'MEDIA_TYPE_UNSUPPORTED',
    ],
    [
      'a stream wanted of a call that gives none',
      { ...JSON_BODY, accept: 'application/recordio' },
      HEALTH,
      406,
      'NOT_ACCEPTABLE',
    ],
    [
      'the key __proto__ (K4)',
      JSON_BODY,
      '{"type":"GET_HEALTH","x":{"__proto__":1}}',
      400,
      'REQUEST_MALFORMED',
    ],
    ['a NUL character (K4)', JSON_BODY, '{"type":"GET_HEALTH","x":"a\\u0000"}', 400, 'REQUEST_MALFORMED'],
    ['an infinite number (K4)', JSON_BODY, '{"type":"GET_HEALTH","x":1e999}', 400, 'REQUEST_MALFORMED'],
  ])('refuses %s', async (_what, headers, payload, status, expected) => {
    const answer = await agent.send({ payload, headers });
    expect([answer.status, code(answer.body)]).toEqual([status, expected]);
  });

  test('ignores fields that it does not know, as protobuf does', async () => {
    expect((await agent.send({ payload: '{"type":"GET_HEALTH","more":1}' })).status).toBe(200);
  });

  test('answers 405 for another method, and 404 for another path', async () => {
    for (const [method, url, status] of [
      ['GET', '/api/v1', 405],
      ['DELETE', '/api/v1', 405],
      ['POST', '/state', 405],
      ['GET', '/slave(1)/api/v1', 405],
      ['GET', '/nowhere', 404],
      ['GET', '/%', 400],
    ] as const)
      expect([url, (await agent.send({ method, url })).status]).toEqual([url, status]);
  });

  test('answers below /slave(1) too', async () => {
    expect(await agent.get('/slave(1)/version')).toMatchObject({ status: 200 });
    expect(await agent.call('GET_VERSION', undefined, { url: '/slave(1)/api/v1' })).toMatchObject({
      status: 200,
    });
  });
});

describe('limits before parsing (A3)', () => {
  test('a body of more than 1 MiB', async () => {
    const answer = await agent.send({
      payload: JSON.stringify({ type: 'GET_HEALTH', x: 'a'.repeat(1024 * 1024) }),
    });
    expect([answer.status, code(answer.body)]).toEqual([413, 'BODY_TOO_LARGE']);
  });

  test.each([
    ['[', 100_000],
    ['{"a":', 100_000],
    ['[', 65],
  ])('%s nested %i times', async (open, times) => {
    const answer = await agent.send({ payload: open.repeat(times) });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/nested deeper/) } },
    });
  });

  test('brackets within strings do not count', async () => {
    const payload = JSON.stringify({ type: 'GET_HEALTH', x: `${'['.repeat(100)}"\\` });
    expect((await agent.send({ payload })).status).toBe(200);
  });
});

describe('web pages (A2)', () => {
  const tcp = new FakeAgent({ allowedHosts: ['127.0.0.1', 'agent.example'] });
  afterAll(() => tcp.close());

  test('are refused by Origin, on every listener', async () => {
    for (const each of [agent, tcp]) {
      const headers = { origin: 'https://evil.example', host: '127.0.0.1' };
      expect(await each.call('GET_HEALTH', undefined, { headers })).toMatchObject({ status: 403 });
    }
  });

  test.each([
    ['127.0.0.1:5051', 200],
    ['agent.example', 200],
    ['AGENT.example:80', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example:5051', 403],
    ['', 403],
  ])('cannot rebind a name: Host %j is answered with %i', async (host, status) => {
    expect(await tcp.call('GET_HEALTH', undefined, { headers: { host } })).toMatchObject({ status });
  });
});

describe('while the containers are being recovered', () => {
  const recovering = new FakeAgent();
  recovering.context.containers = undefined;
  afterAll(() => recovering.close());

  test.each([
    ['/health', 200],
    ['/version', 200],
    ['/flags', 200],
    ['/metrics', 200],
    ['/metrics/snapshot', 200],
    ['/state', 503],
    ['/containers', 503],
    ['/files/debug', 503],
  ])('%s answers %i', async (url, status) => {
    expect((await recovering.get(url)).status).toBe(status);
  });

  test('every call is refused with 503', async () => {
    const answer = await recovering.call('GET_HEALTH');
    expect([answer.status, code(answer.body)]).toEqual([503, 'RECOVERING']);
  });
});

test('/openapi.json has every call once, as a message or as a stream of records', async () => {
  const { body } = await agent.get('/openapi.json');
  const { content } = body.paths['/api/v1'].post.requestBody;
  const titles = (type: string) =>
    content[type].schema.oneOf.map(({ title }: { title: string }) => title).sort();
  const streams = calls.filter(({ following }) => following).map(({ type }) => type);
  expect(titles('application/recordio')).toEqual(streams.sort());
  expect(streams).toEqual(['ATTACH_CONTAINER_INPUT']);
  const others = calls.map(({ type }) => type).filter((type) => !streams.includes(type));
  expect(titles('application/json')).toEqual(others.sort());
});
