/** Whatever is sent: an answer of 2xx to 4xx, and the agent goes on. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { frame } from '../record-io.js';
import { calls } from './calls/index.js';
import { FakeAgent } from './testing/fake-agent.js';

const agent = new FakeAgent();
const socket = join(agent.containers.directory, 'agent.sock');
beforeAll(async () => {
  await agent.containers.launch('cat', { argv: ['cat'], stdio: 'pipes' });
  await agent.containers.launch('web', { argv: ['true'] });
  agent.containers.end('web', { status: 0, reason: 'EXITED' });
  await agent.app.listen({ path: socket });
});
afterAll(() => agent.close());

const BOUNDS = { numRuns: 1500, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false };

/** A 501 says that a call of Mesos is not there. */
const isFine = (status: number) => (status >= 200 && status < 500) || status === 501;

/** Streams that would not end. */
const ENDLESS = ['SUBSCRIBE', 'LAUNCH_NESTED_CONTAINER_SESSION'];
const types = calls.map(({ type }) => type).filter((type) => !ENDLESS.includes(type));
const names = [
  'container_id',
  'value',
  'parent',
  'command',
  'config',
  'argv',
  'environment',
  'variables',
  'resources',
  'limits',
  'path',
  'offset',
  'length',
  'container',
  'rlimit_info',
  'duration',
  'nanoseconds',
  'level',
  'grace_period',
  'signal',
  '__proto__',
  'constructor',
  'toString',
];
const key = fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 5 }));
const leaf = fc.oneof(
  fc.constantFrom('web', 'x', '..', '/containers/web', 'MESOS', 'SCALAR', '\0', '', 'Infinity'),
  fc.string(),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

test('calls with input of any shape', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...types), value, async (type, input) => {
      const { status } = await agent.call(type, input);
      expect(isFine(status)).toBe(true);
    }),
    BOUNDS,
  );
});

test('bodies cut off, changed, and of any bytes', async () => {
  const body = JSON.stringify({
    type: 'LAUNCH_CONTAINER',
    launch_container: {
      container_id: { value: 'web' },
      command: { value: 'true', environment: { variables: [] } },
    },
  });
  const damaged = fc
    .tuple(fc.nat(body.length), fc.uint8Array({ maxLength: 8 }), fc.nat(body.length))
    .map(([at, bytes, skip]) =>
      Buffer.concat([Buffer.from(body.slice(0, at)), bytes, Buffer.from(body.slice(skip))]),
    );
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, any), async (payload) => {
      expect(isFine((await agent.send({ payload })).status)).toBe(true);
    }),
    BOUNDS,
  );
});

test('streams of records: of any members, cut off, changed, and of any bytes', async () => {
  const type = 'ATTACH_CONTAINER_INPUT';
  const record = fc
    .oneof(
      fc.constant({ type: 'CONTAINER_ID', container_id: { value: 'cat' } }),
      fc.constant({
        type: 'PROCESS_IO',
        process_io: { type: 'DATA', data: { type: 'STDIN', data: 'aGk=' } },
      }),
      value,
    )
    .map((input) => frame({ type, [type.toLowerCase()]: input }));
  const any = fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes));
  const body = fc
    .tuple(fc.array(fc.oneof({ weight: 4, arbitrary: record }, any), { maxLength: 4 }), fc.nat(400))
    .map(([parts, cut]) => Buffer.concat(parts).subarray(0, cut));
  const headers = { 'content-type': 'application/recordio', 'message-content-type': 'application/json' };
  await fc.assert(
    fc.asyncProperty(body, async (payload) => {
      expect(isFine((await agent.send({ payload, headers })).status)).toBe(true);
      agent.containers.known.get('cat')?.pipes?.read();
    }),
    BOUNDS,
  );
});

test('paths and queries of any kind', async () => {
  const path = fc.constantFrom(
    '/files/read',
    '/files/browse',
    '/files/download',
    '/containers',
    '/metrics/snapshot',
    '/state',
    '/slave(1)/files/read',
  );
  const query = fc.dictionary(
    fc.constantFrom(
      'path',
      'offset',
      'length',
      'container_id',
      'framework_id',
      'executor_id',
      'timeout',
      'x',
    ),
    fc.oneof(
      fc.string(),
      fc.constantFrom('/containers/web', '/containers/web/../..', '-1', '1e9', '99999999999999999'),
    ),
    { noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(path, query, async (url, given) => {
      const { status } = await agent.get(`${url}?${new URLSearchParams(given)}`);
      expect(isFine(status)).toBe(true);
    }),
    BOUNDS,
  );
});

/** Sends bytes and returns the status line, or nothing if the connection was only closed. */
const sendRaw = (bytes: Uint8Array): Promise<string> =>
  new Promise((resolve) => {
    let answer = '';
    const client = connect(socket, () => client.end(bytes));
    client.on('data', (data) => {
      answer += data.toString('latin1');
    });
    client.on('error', () => {});
    client.once('close', () => resolve(answer.split('\r\n', 1)[0]!));
  });

test('what is no HTTP', async () => {
  const line = fc.constantFrom(
    'POST /api/v1 HTTP/1.1\r\n',
    'GET /health HTTP/1.1\r\n',
    'BREW / HTTP/1.1\r\n',
    '',
  );
  const header = fc.constantFrom(
    'Content-Length: 5\r\n',
    'Content-Length: -1\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Content-Type: application/json\r\n',
    'Host: x\r\n',
    'A\r\n',
    ': \r\n',
    `X: ${'y'.repeat(20_000)}\r\n`,
  );
  const request = fc
    .tuple(line, fc.array(header, { maxLength: 5 }), fc.uint8Array({ maxLength: 30 }))
    .map(([first, headers, rest]) => Buffer.concat([Buffer.from(`${first}${headers.join('')}\r\n`), rest]));
  await fc.assert(
    fc.asyncProperty(request, async (bytes) => {
      const status = await sendRaw(bytes);
      expect(status).toMatch(/^(HTTP\/1\.1 [24]\d\d .*)?$/);
    }),
    { ...BOUNDS, numRuns: 600 },
  );
  expect(await agent.call('GET_HEALTH')).toMatchObject({ status: 200 });
});

test('nothing of it has launched anything that is not as asked', () => {
  for (const { config } of agent.containers.known.values()) expect(config.argv.length).toBeGreaterThan(0);
});
