import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { findAgent } from './address.js';
import { AgentClient } from './agent-client.js';
import { signalNumber } from './change.js';
import { describeEnd, fromWire, toWire } from './messages.js';
import { records } from './records.js';
import { age, bytes } from './show.js';

async function* chunks(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}
const read = async (...texts: string[]) => {
  const all = [];
  for await (const record of records(chunks(...texts))) all.push(record);
  return all;
};

describe('RecordIO', () => {
  test('is read whatever the chunks are', async () => {
    const expected = [{ a: 1 }, { b: 'é' }, {}];
    const whole = '7\n{"a":1}10\n{"b":"é"}2\n{}';
    expect(await read(whole)).toEqual(expected);
    expect(await read(...whole)).toEqual(expected);
  });

  test('an unfinished record is none', async () => {
    expect(await read('7\n{"a":1}7\n{"a"')).toEqual([{ a: 1 }]);
  });

  test.each(['x\n{}', '-1\n{}', '\n{}', '{"a":1}'.repeat(5)])(
    'a record without length is an error: %j',
    async (text) => {
      await expect(read(text)).rejects.toThrow('a record without its length');
    },
  );
});

test('ids', () => {
  expect(toWire('a.b.c')).toEqual({ value: 'c', parent: { value: 'b', parent: { value: 'a' } } });
  expect(fromWire(toWire('a.b.c'))).toBe('a.b.c');
});

test.each([
  [5, '5s'],
  [65, '1m'],
  [7200, '2h'],
  [86_400 * 3, '3d'],
  [-1, '0s'],
])('an age of %i is %s', (seconds, text) => expect(age(seconds)).toBe(text));

test.each([
  [undefined, '-'],
  [0, '0B'],
  [1023, '1020B'],
  [1536, '1.5KB'],
  [64 * 2 ** 20, '64MB'],
  [2 ** 50, '1020TB'],
])('%s bytes are %s', (count, text) => expect(bytes(count)).toBe(text));

test.each([
  ['TERM', 15],
  ['sigterm', 15],
  ['9', 9],
])('the signal %s is %i', (text, number) => expect(signalNumber(text)).toBe(number));

test('a signal that does not exist is refused', () => {
  expect(() => signalNumber('NOPE')).toThrow('--signal "NOPE"');
});

test.each([
  [{ cause: 'EXITED', exit_code: 3 }, 'exited 3'],
  [{ cause: 'DESTROYED', signal: 'SIGKILL' }, 'SIGKILL (destroyed)'],
  [{ cause: 'LOST' }, '(lost)'],
])('%j ended: %s', (ended, text) => expect(describeEnd(ended)).toBe(text));

describe('an agent', () => {
  test.each([
    ['/run/x.sock', { socketPath: '/run/x.sock' }],
    ['http://[::1]:80', { protocol: 'http:', hostname: '::1', port: '5051' }],
    ['https://a.example:6000', { protocol: 'https:', hostname: 'a.example', port: '6000' }],
  ])('at %s', async (agent, where) => {
    expect((await findAgent({ agent }, {})).where).toEqual(where);
    expect((await findAgent({}, { CAISSON_AGENT: agent })).where).toEqual(where);
  });

  test.each(['ftp://x', 'http://'])('is not at %s', async (agent) => {
    await expect(findAgent({ agent }, {})).rejects.toMatchObject({ code: 'AGENT_ADDRESS_INVALID' });
  });
});

describe('a call', () => {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-client-'));
  const socketPath = join(directory, 's');
  const client = new AgentClient({ shown: socketPath, where: { socketPath } }, 'secret');
  let server: Server;
  let answer: { status: number; body: string };
  let asked: { authorization?: string | undefined; body: unknown };

  beforeEach((done) => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', () => {
        asked = { authorization: request.headers.authorization, body: JSON.parse(body) };
        response.writeHead(answer.status).end(answer.body);
      });
    }).listen(socketPath, done);
  });
  afterEach((done) => {
    server.close(() => done());
    server.closeAllConnections();
  });
  afterEach(() => rmSync(socketPath, { force: true }));
  afterAll(() => rmSync(directory, { recursive: true }));

  test('names itself twice, and gives its token', async () => {
    answer = { status: 200, body: '{"type":"X_Y","x_y":{"z":1}}' };
    expect(await client.call('X_Y', { a: 1 })).toEqual({ z: 1 });
    expect(asked).toEqual({ authorization: 'Bearer secret', body: { type: 'X_Y', x_y: { a: 1 } } });
  });

  test('an empty answer is nothing', async () => {
    answer = { status: 200, body: '' };
    expect(await client.call('X')).toBeUndefined();
  });

  test('an error is that of the agent', async () => {
    answer = { status: 404, body: '{"error":{"code":"C","kind":"not-found","message":"m","hint":"h"}}' };
    await expect(client.call('X')).rejects.toMatchObject({
      code: 'C',
      kind: 'not-found',
      message: 'm',
      hint: 'h',
    });
  });

  test.each([
    [500, '{}'],
    [200, '<html>'],
    [502, '<html>'],
  ])('what is no agent is said to be none: %i %s', async (status, body) => {
    answer = { status, body };
    await expect(client.call('X')).rejects.toMatchObject({ code: 'AGENT_ANSWER_INVALID' });
  });

  test('nobody there', async () => {
    const nobody = new AgentClient({ shown: 'x', where: { socketPath: join(directory, 'none') } });
    await expect(nobody.call('X')).rejects.toMatchObject({
      code: 'AGENT_UNREACHABLE',
      hint: expect.stringContaining('caisson agent'),
    });
  });
});
