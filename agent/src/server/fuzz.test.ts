/** Whatever is sent, 10,000 times and more: an answer of 2xx to 4xx, no memory that stays, and the agent goes on. */
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { frame } from '../record-io.js';
import { calls } from './calls/index.js';
import { SettingsSchema, settingsOf } from './settings/settings.js';
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

const BOUNDS = { numRuns: 2200, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: true };

let answers = 0;

/** The other limits are the usual ones. */
function limitedAgent(headersMs: number, requestMs: number): FakeAgent {
  const { limits } = settingsOf(SettingsSchema.parse({}), '/nowhere');
  return new FakeAgent({}, { limits: { ...limits, headersMs, requestMs } });
}

/** A 501 says that a call of Mesos is not there. */
function isFine(status: number): boolean {
  answers += 1;
  return (status >= 200 && status < 500) || status === 501;
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

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
      answers += 1;
      expect(status).toMatch(/^(HTTP\/1\.1 [24]\d\d .*)?$/);
    }),
    { ...BOUNDS, numRuns: 1300 },
  );
  expect(await agent.call('GET_HEALTH')).toMatchObject({ status: 200 });
});

test('it was that often', () => {
  expect(answers).toBeGreaterThan(10_000);
});

test('over a connection too, and no memory stays', async () => {
  const connections = new Agent({ keepAlive: true, maxSockets: 8 });
  const headers = { 'Content-Type': 'application/json' };
  const post = (body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = { socketPath: socket, method: 'POST', path: '/api/v1', headers, agent: connections };
      const sent = request(options, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      });
      sent.once('error', reject);
      sent.end(body);
    });
  const bodies = fc.sample(fc.tuple(fc.constantFrom(...types), value), { numRuns: 500, seed: 1 });
  const sendAll = async () => {
    for (const [type, input] of bodies) {
      const body = JSON.stringify({ type, [type.toLowerCase()]: input });
      expect(isFine(await post(body))).toBe(true);
      expect(await post(body.slice(0, -1))).toBe(400);
    }
  };
  await sendAll();
  const before = heapUsed();
  for (let n = 0; n < 3; n += 1) await sendAll();
  expect(heapUsed() - before).toBeLessThan(3 * 1024 * 1024);
  connections.destroy();
});

describe('who sends too much, or too slowly', () => {
  const strict = limitedAgent(200, 400);
  const path = join(strict.containers.directory, 'agent.sock');
  beforeAll(async () => {
    await strict.app.listen({ path });
  });
  afterAll(() => strict.close());

  const HEAD = 'POST /api/v1 HTTP/1.1\r\nHost: agent\r\nContent-Type: application/json\r\n';

  /** Sends parts with a pause after each, until it has an answer or is let go. */
  async function sendSlowly(parts: Iterable<string | Buffer>, pauseMs: number): Promise<string> {
    const client = connect(path);
    let answer = '';
    let isOpen = true;
    client.on('data', (data) => {
      answer += data.toString('latin1');
    });
    client.on('error', () => {});
    client.once('close', () => {
      isOpen = false;
    });
    for (const part of parts) {
      if (!isOpen || answer !== '') break;
      client.write(part);
      await sleep(pauseMs);
    }
    while (isOpen) await sleep(5);
    return answer.split('\r\n', 1)[0]!;
  }

  function* forEver(text: string): Generator<string> {
    for (;;) yield text;
  }

  test('a body of 10 MB is refused before it is read', async () => {
    const body = Buffer.alloc(10 * 1024 * 1024, 0x20);
    const before = process.memoryUsage().rss;
    const head = `${HEAD}Content-Length: ${body.length}\r\n\r\n`;
    const all = await Promise.all(Array.from({ length: 40 }, () => sendSlowly([head, body], 1)));
    for (const line of all) expect(line).toMatch(/^(HTTP\/1\.1 413 .*)?$/);
    expect(all.filter((line) => line !== '').length).toBeGreaterThan(0);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  });

  test('headers and bodies that never end are answered with 408, and hold nobody up', async () => {
    const slow = [
      ...Array.from({ length: 20 }, () => sendSlowly(chain([HEAD], forEver('X: y\r\n')), 30)),
      ...Array.from({ length: 20 }, () =>
        sendSlowly(chain([`${HEAD}Content-Length: 100000\r\n\r\n`], forEver(' ')), 30),
      ),
    ];
    const began = performance.now();
    expect(await strict.call('GET_HEALTH')).toMatchObject({ status: 200 });
    expect(performance.now() - began).toBeLessThan(1000);
    for (const line of await Promise.all(slow)) expect(line).toMatch(/^HTTP\/1\.1 4(08|31) /);
  });

  function* chain<T>(...parts: Iterable<T>[]): Generator<T> {
    for (const part of parts) yield* part;
  }
});

test('nothing of it has launched anything that is not as asked', () => {
  for (const { config } of agent.containers.known.values()) expect(config.argv.length).toBeGreaterThan(0);
});
