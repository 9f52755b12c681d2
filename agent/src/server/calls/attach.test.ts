import { statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { CaissonError } from '@caisson/plugin-sdk';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { AgentClient } from '../../client/agent-client.js';
import { frame, readRecords } from '../../record-io.js';
import { Switchboard } from '../switchboard/switchboard.js';
import { FakeAgent } from '../testing/fake-agent.js';
import type { FakePipes } from '../testing/fake-pipes.js';

const INPUT = 'ATTACH_CONTAINER_INPUT';
const OUTPUT = 'ATTACH_CONTAINER_OUTPUT';
const STREAM = { 'content-type': 'application/recordio', 'message-content-type': 'application/json' };
const id = (value: string) => ({ container_id: { value } });
const first = { type: 'CONTAINER_ID', ...id('cat') };
const stdin = (text: string) => ({
  type: 'PROCESS_IO',
  process_io: { type: 'DATA', data: { type: 'STDIN', data: Buffer.from(text).toString('base64') } },
});
const control = (rest: object) => ({ type: 'PROCESS_IO', process_io: { type: 'CONTROL', control: rest } });

let agent: FakeAgent;
let client: AgentClient;
let pipes: FakePipes;
let socketPath: string;

beforeEach(async () => {
  agent = new FakeAgent({}, { heartbeatMs: 60_000 });
  socketPath = join(agent.containers.directory, 'agent.sock');
  await agent.app.listen({ path: socketPath });
  client = new AgentClient({ shown: socketPath, where: { socketPath } });
  await client.call('LAUNCH_CONTAINER', { ...id('cat'), config: { argv: ['cat'], stdio: 'pipes' } });
  pipes = agent.containers.known.get('cat')!.pipes!;
});
afterEach(() => agent.close());

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const end = () => agent.containers.end('cat', { status: 0, reason: 'EXITED' });

/** What the container reads, until it is this. */
async function reads(expected: string): Promise<void> {
  let text = '';
  while (text.length < expected.length) {
    text += pipes.read() ?? '(end)';
    await turn();
  }
  expect(text).toBe(expected);
}

type Output = Awaited<ReturnType<AgentClient['open']>>;

/** The text of the next records of data, until it is that long. */
async function written(stream: Output, length: number): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (let seen = 0; seen < length; ) {
    const { value, done } = await stream.next();
    if (done) throw new Error(`ended after ${JSON.stringify(texts)}`);
    const { type, data } = value.data as { type: string; data: string };
    const text = Buffer.from(data, 'base64').toString();
    texts[type] = (texts[type] ?? '') + text;
    seen += text.length;
  }
  return texts;
}

describe(OUTPUT, () => {
  test('any number of clients read what is written from then on, apart by where', async () => {
    pipes.write('stdout', 'before');
    await turn();
    const streams = await Promise.all([1, 2, 3].map(() => client.open(OUTPUT, id('cat'))));
    pipes.write('stdout', 'out');
    pipes.write('stderr', 'err');
    for (const stream of streams) expect(await written(stream, 6)).toEqual({ STDOUT: 'out', STDERR: 'err' });
    await streams[0]!.return(undefined);
    pipes.write('stdout', 'more');
    end();
    for (const stream of streams.slice(1)) {
      expect(await written(stream, 4)).toEqual({ STDOUT: 'more' });
      expect(await stream.next()).toMatchObject({ done: true });
    }
  });

  test('all of it is in the files of the sandbox, and once WAIT_CONTAINER answers to the last byte', async () => {
    const waiting = client.call('WAIT_CONTAINER', id('cat'));
    const all = 'x'.repeat(60_000);
    pipes.write('stdout', all);
    pipes.write('stderr', 'err');
    end();
    await waiting;
    expect(agent.containers.outputs('stdout')).toBe(all);
    expect(agent.containers.outputs('stderr')).toBe('err');
  });

  describe('from a position on', () => {
    const control = async (stream: Output) => (await stream.next()).value.control;
    const from = (position: object) => client.open(OUTPUT, { ...id('cat'), from: position });
    const size = () => statSync(join(agent.containers.directory, 'stdout')).size;
    /** In pieces that a pipe takes, each once the one before is in the file. */
    async function writes(text: string): Promise<void> {
      const before = size();
      for (let at = 0; at < text.length; ) {
        at += pipes.write('stdout', text.slice(at, at + 50_000));
        while (size() < before + at) await turn();
      }
    }

    test('tells where that is, then what lies in the files, then what is written: nothing missing, nothing twice', async () => {
      const text = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}\n`).join('');
      const before = text(40_000);
      await writes(before);
      pipes.write('stderr', 'err');
      const after = text(50_000).slice(before.length);
      const writing = writes(after);
      const streams = await Promise.all([from({ stdout: 5, stderr: 1 }), from({ stdout: 5, stderr: 99 })]);
      for (const [index, stream] of streams.entries()) {
        expect(await control(stream)).toEqual({
          type: 'POSITION',
          position: { stdout: 5, stderr: index === 0 ? 1 : 3 },
        });
        const length = before.length + after.length - 5 + (index === 0 ? 2 : 0);
        const { STDOUT, STDERR } = await written(stream, length);
        expect(STDOUT === (before + after).slice(5)).toBe(true);
        expect(STDERR).toBe(index === 0 ? 'rr' : undefined);
        await stream.return(undefined);
      }
      await writing;
    });

    test('which is where it is now, if none is named', async () => {
      pipes.write('stdout', 'before');
      while (agent.containers.outputs('stdout') !== 'before') await turn();
      const stream = await from({});
      expect(await control(stream)).toEqual({ type: 'POSITION', position: { stdout: 6, stderr: 0 } });
      pipes.write('stdout', 'after');
      expect(await written(stream, 5)).toEqual({ STDOUT: 'after' });
      await stream.return(undefined);
    });

    test('tells how much of the input the container has', async () => {
      const stream = await from({});
      await control(stream);
      const upload = client.upload(INPUT, first);
      for (const text of ['one', 'fourteen']) {
        await upload.send(stdin(text));
        await reads(text);
        expect(await control(stream)).toEqual({
          type: 'INPUT_WRITTEN',
          input_written: { bytes: text.length },
        });
      }
      upload.abort();
      await stream.return(undefined);
    });

    test('holds nobody up while it reads what lies there', async () => {
      agent.context.settings = {
        ...agent.context.settings,
        limits: { ...agent.context.settings.limits, slowReaderMs: 1 },
      };
      const piece = 'y'.repeat(60_000);
      const pieces = 200;
      await writes(piece.repeat(pieces));
      const message = { type: OUTPUT, [OUTPUT.toLowerCase()]: { ...id('cat'), from: { stdout: 0 } } };
      const slow = await raw({}, JSON.stringify(message));
      slow.response.pause();
      for (let n = 0; n < 20; n += 1) await turn();
      pipes.write('stdout', 'Z');
      while (!agent.containers.outputs('stdout').endsWith('Z')) await turn();
      let bytes = 0;
      for await (const record of readRecords(slow.response, { longest: 1_000_000 })) {
        const { data } = JSON.parse(String(record));
        bytes += data ? Buffer.from(data.data, 'base64').length : 0;
        if (bytes === pieces * piece.length + 1) break;
      }
    });
  });

  test('heartbeats, as often as configured', async () => {
    agent.context.settings = { ...agent.context.settings, heartbeatMs: 5 };
    const stream = await client.open(OUTPUT, id('cat'));
    const { value } = await stream.next();
    expect(value).toEqual({
      type: 'CONTROL',
      control: { type: 'HEARTBEAT', heartbeat: { interval: { nanoseconds: 5e6 } } },
    });
    await stream.return(undefined);
  });

  test.each([
    [{ accept: 'application/recordio' }, 'application/recordio', 'application/json'],
    [{ accept: 'application/json' }, 'application/json', undefined],
    [{}, 'application/recordio', 'application/json'],
  ])('is framed whatever is accepted: %j', async (headers, type, messageType) => {
    const { response } = await raw(
      headers,
      JSON.stringify({ type: OUTPUT, [OUTPUT.toLowerCase()]: id('cat') }),
    );
    expect(response.headers).toMatchObject({ 'content-type': type });
    expect(response.headers['message-content-type']).toBe(messageType);
    pipes.write('stdout', 'hi');
    end();
    const records = [];
    for await (const record of readRecords(response, { longest: 1000 }))
      records.push(JSON.parse(String(record)));
    expect(records).toEqual([{ type: 'DATA', data: { type: 'STDOUT', data: 'aGk=' } }]);
  });

  test('404 of one that is unknown or has ended, 400 of one that has only files', async () => {
    await client.call('LAUNCH_CONTAINER', { ...id('files'), command: { value: 'true' } });
    for (const [name, status, code] of [
      ['nobody', 404, 'CONTAINER_UNKNOWN'],
      ['files', 400, 'NOT_ATTACHABLE'],
    ])
      expect(await agent.call(OUTPUT, id(String(name)))).toMatchObject({ status, body: { error: { code } } });
    end();
    expect(await agent.call(OUTPUT, id('cat'))).toMatchObject({
      status: 404,
      body: { error: { code: 'CONTAINER_GONE' } },
    });
  });
});

describe('a client that does not read', () => {
  const CHUNK = 'y'.repeat(64_000);

  /** Writes until nothing of it is taken any more; returns how much was. */
  async function fill(): Promise<number> {
    let total = 0;
    for (let idle = 0; idle < 20; ) {
      if (agent.containers.outputs('stdout').length === total) {
        total += pipes.write('stdout', CHUNK);
        idle = 0;
      }
      idle += 1;
      await turn();
    }
    return total - CHUNK.length;
  }

  test('holds the container up, for a bounded time and a bounded memory; then it is let go, and says so', async () => {
    agent.context.settings = {
      ...agent.context.settings,
      limits: { ...agent.context.settings.limits, slowReaderMs: 500 },
    };
    const slow = await raw({}, JSON.stringify({ type: OUTPUT, [OUTPUT.toLowerCase()]: id('cat') }));
    slow.response.pause();
    const taken = await fill();
    // What a pipe, two sockets and a buffer take.
    expect(taken).toBeLessThan(4 * 1024 * 1024);
    const fast = await client.open(OUTPUT, id('cat'));
    pipes.write('stdout', 'Z');
    // The chunk that nobody took, and this: once the slow one was let go.
    const { STDOUT = '' } = await written(fast, CHUNK.length + 1);
    expect(STDOUT).toBe(`${CHUNK}Z`);
    let end: Error | undefined;
    slow.response.on('error', (error) => {
      end = error;
    });
    slow.response.resume();
    await new Promise((resolve) => slow.response.once('close', resolve));
    expect(end).toMatchObject({ code: 'ECONNRESET' });
    await fast.return(undefined);
  }, 20_000);
});

describe(`${OUTPUT} after another agent took over`, () => {
  const back = () => client.open(OUTPUT, { ...id('cat'), is_back: true });

  /** Two had attached to the agent before. */
  function takeOver(): void {
    const { containers, log } = agent.context;
    agent.context.switchboard!.close();
    agent.context.switchboard = new Switchboard(containers!, log, new Map([['cat', 2]]));
  }

  test('who comes back misses nothing, however long it takes; a newcomer is not taken for one of them', async () => {
    takeOver();
    pipes.write('stdout', 'before');
    const streams = [await client.open(OUTPUT, id('cat')), await back()];
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(agent.containers.outputs('stdout')).toBe('');
    streams.push(await back());
    for (const stream of streams) {
      expect(await written(stream, 6)).toEqual({ STDOUT: 'before' });
      await stream.return(undefined);
    }
  });

  test('who has left meanwhile keeps nobody waiting', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
    try {
      takeOver();
      pipes.write('stdout', 'before');
      jest.advanceTimersByTime(15_000);
    } finally {
      jest.useRealTimers();
    }
    while (agent.containers.outputs('stdout') !== 'before') await turn();
  });
});

describe(INPUT, () => {
  test('is read in order, ends with an empty piece, and 200 follows the end of the stream', async () => {
    const upload = client.upload(INPUT, first);
    await upload.send(stdin('a'));
    await upload.send(control({ type: 'HEARTBEAT' }));
    await upload.send(stdin('b'));
    await reads('ab');
    await upload.send(stdin(''));
    while (pipes.read() !== undefined) await turn();
    upload.end();
    await upload.answered;
    const again = client.upload(INPUT, first);
    await again.send(stdin('late'));
    await expect(again.answered).rejects.toMatchObject({ code: 'INPUT_ENDED' });
  });

  test('leaving is no end of its stdin; another one may follow', async () => {
    for (const text of ['one', 'two']) {
      const upload = client.upload(INPUT, first);
      await upload.send(stdin(text));
      await reads(text);
      if (text === 'one') upload.end();
      else upload.abort();
      await upload.answered.catch(() => {});
    }
    expect(pipes.read()).toBe('');
  });

  test('by one at a time: 409', async () => {
    const upload = client.upload(INPUT, first);
    await upload.send(stdin('x'));
    await reads('x');
    await expect(client.upload(INPUT, first).answered).rejects.toMatchObject({ code: 'INPUT_TAKEN' });
    upload.abort();
  });

  test('as fast as it is read: what does not fit waits at the client', async () => {
    const upload = client.upload(INPUT, first);
    const piece = 'z'.repeat(500_000);
    let sent = 0;
    const sending = (async () => {
      for (let i = 0; i < 20; i += 1) {
        await upload.send(stdin(piece));
        sent += piece.length;
      }
      upload.end();
    })();
    for (let i = 0; i < 50; i += 1) await turn();
    expect(sent).toBeLessThan(6_000_000);
    let read = 0;
    while (read < 20 * piece.length) {
      read += pipes.read()!.length;
      await new Promise(setImmediate);
    }
    await sending;
    await upload.answered;
  });

  test('200 a moment after the last output, whatever the client still has to say', async () => {
    const upload = client.upload(INPUT, first);
    await upload.send(stdin('x'));
    await reads('x');
    end();
    await upload.answered;
  });

  const whole = (record: object) => frame({ type: INPUT, [INPUT.toLowerCase()]: record });
  const opening = whole(first);
  const join_ = (...parts: (Buffer | string)[]) => Buffer.concat(parts.map((part) => Buffer.from(part)));

  test.each<[string, Buffer, number, string]>([
    ['nothing', Buffer.alloc(0), 400, 'REQUEST_MALFORMED'],
    ['no length', join_('{"type":"x"}'), 400, 'RECORD_MALFORMED'],
    ['a negative length', join_('-1\n'), 400, 'RECORD_MALFORMED'],
    ['an endless length', join_('9'.repeat(30)), 400, 'RECORD_MALFORMED'],
    ['a length that is too large', join_('9'.repeat(20), '\n'), 413, 'RECORD_TOO_LARGE'],
    ['one above the limit', join_('1048577\n'), 413, 'RECORD_TOO_LARGE'],
    ['half a record', opening.subarray(0, 20), 400, 'RECORD_TRUNCATED'],
    ['half a length', join_('12'), 400, 'RECORD_TRUNCATED'],
    ['an empty record', join_('0\n'), 400, 'REQUEST_MALFORMED'],
    ['no JSON', join_('3\n{a}'), 400, 'REQUEST_MALFORMED'],
    ['too deep a JSON', join_('200\n', '['.repeat(200)), 400, 'REQUEST_MALFORMED'],
    ['another call', frame({ type: 'GET_HEALTH' }), 415, 'MEDIA_TYPE_UNSUPPORTED'],
    ['an unknown call', frame({ type: 'NOPE' }), 400, 'CALL_UNKNOWN'],
    ['input without an id', whole(stdin('x')), 400, 'CALL_INVALID'],
    ['an unknown id', whole({ ...first, ...id('nobody') }), 404, 'CONTAINER_UNKNOWN'],
    ['a second id', join_(opening, opening), 400, 'CALL_INVALID'],
    ['a record of another call', join_(opening, frame({ type: 'GET_HEALTH' })), 400, 'CALL_INVALID'],
    ['a wrong second record', join_(opening, 'x\n'), 400, 'RECORD_MALFORMED'],
    [
      'a second record that breaks off',
      join_(opening, whole(stdin('x')).subarray(0, 30)),
      400,
      'RECORD_TRUNCATED',
    ],
    [
      'no base64',
      join_(
        opening,
        whole({ type: 'PROCESS_IO', process_io: { type: 'DATA', data: { type: 'STDIN', data: '?' } } }),
      ),
      400,
      'CALL_INVALID',
    ],
    [
      'output',
      join_(
        opening,
        whole({ type: 'PROCESS_IO', process_io: { type: 'DATA', data: { type: 'STDOUT', data: '' } } }),
      ),
      400,
      'CALL_INVALID',
    ],
    [
      'a size without a terminal',
      join_(
        opening,
        whole(control({ type: 'TTY_INFO', tty_info: { window_size: { rows: 1, columns: 1 } } })),
      ),
      400,
      'NO_TERMINAL',
    ],
    [
      'an impossible size',
      join_(
        opening,
        whole(control({ type: 'TTY_INFO', tty_info: { window_size: { rows: -1, columns: 1 } } })),
      ),
      400,
      'CALL_INVALID',
    ],
  ])('refused, and the input given back: %s', async (_what, body, status, code) => {
    // At once, unless it is the end of the body that shows it.
    const needsEnd = code === 'RECORD_TRUNCATED' || body.length === 0;
    for (const isWhole of needsEnd ? [true] : [true, false]) {
      const { response, leave } = await raw(STREAM, body, isWhole);
      expect([response.statusCode, JSON.parse(await textOf(response)).error.code]).toEqual([status, code]);
      leave();
    }
    const upload = client.upload(INPUT, first);
    await upload.send(stdin('fine'));
    await reads('fine');
    upload.end();
    await upload.answered;
  });

  test('a message is no stream: 415', async () => {
    expect(await agent.call(INPUT, first)).toMatchObject({ status: 415 });
  });

  describe('slow', () => {
    let slow: FakeAgent;
    beforeEach(async () => {
      const { limits } = agent.context.settings;
      slow = new FakeAgent({}, { limits: { ...limits, requestMs: 100 } });
      socketPath = join(slow.containers.directory, 'agent.sock');
      await slow.app.listen({ path: socketPath });
      client = new AgentClient({ shown: socketPath, where: { socketPath } });
    });
    afterEach(() => slow.close());

    test.each([
      ['a first record', STREAM, opening.subarray(0, 5)],
      ['a message', {}, Buffer.from('{')],
    ])('%s that does not come in time: 408', async (_what, headers, body) => {
      const { response } = await raw(headers, body, false);
      expect(response.statusCode).toBe(408);
    });

    test('what follows may take its time', async () => {
      await client.call('LAUNCH_CONTAINER', { ...id('cat'), config: { argv: ['cat'], stdio: 'pipes' } });
      pipes = slow.containers.known.get('cat')!.pipes!;
      const upload = client.upload(INPUT, first);
      await new Promise((resolve) => setTimeout(resolve, 150));
      await upload.send(stdin('still there'));
      await reads('still there');
      upload.end();
      await upload.answered;
    });
  });
});

/** A request as these bytes, with its end or without. */
async function raw(headers: Record<string, string>, body: string | Buffer, isWhole = true) {
  const sent = request({
    socketPath,
    path: '/api/v1',
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', ...headers },
  });
  sent.on('error', () => {});
  const answered = new Promise<IncomingMessage>((resolve) => sent.once('response', resolve));
  sent.flushHeaders();
  sent.write(body);
  if (isWhole) sent.end();
  return { response: await answered, leave: () => sent.destroy() };
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

describe('LAUNCH_NESTED_CONTAINER_SESSION', () => {
  const SESSION = 'LAUNCH_NESTED_CONTAINER_SESSION';
  const look = { container_id: { value: 'look', parent: { value: 'cat' } } };
  const session = (more: object = {}) => client.open(SESSION, { ...look, command: { value: 'x' }, ...more });
  const destroyed = () => agent.containers.calls.filter(([name]) => name === 'destroy').map(([, of]) => of);
  const launched = () => agent.containers.known.get('cat.look')!;
  const finish = () => agent.containers.end('cat.look', { status: 0, reason: 'EXITED' });

  test.each<[object, object]>([
    [{}, { stdio: 'pipes' }],
    [{ container: { tty_info: { window_size: { rows: 2, columns: 3 } } } }, { stdio: 'terminal' }],
    [
      { command: undefined, config: { argv: ['y'], stdio: 'files' } },
      { argv: ['y'], stdio: 'pipes' },
    ],
  ])('is of class DEBUG and has something to read: %j', async (more, config) => {
    const opening = session(more);
    while (!agent.containers.known.has('cat.look')) await turn();
    expect(launched().config).toMatchObject({ class: 'DEBUG', ...config });
    finish();
    await opening.then((stream) => stream.return(undefined)).catch(() => {}); // the stand-in has no terminals
  });

  test('streams what it writes; nothing is destroyed that ends by itself', async () => {
    const stream = await session();
    launched().pipes!.write('stdout', 'hello');
    expect(await written(stream, 5)).toEqual({ STDOUT: 'hello' });
    finish();
    expect(await stream.next()).toMatchObject({ done: true });
    await client.call('WAIT_NESTED_CONTAINER', look);
    expect(destroyed()).toEqual([]);
  });

  test('a client that leaves takes it along', async () => {
    const stream = await session();
    launched().pipes!.write('stdout', 'hello');
    await written(stream, 5);
    await stream.return(undefined);
    while (destroyed().length === 0) await turn();
    expect(destroyed()).toEqual(['cat.look']);
  });

  test('one that has closed its output and does not end is ended, a moment later', async () => {
    const stream = await session();
    launched().pipes!.end();
    expect(await stream.next()).toMatchObject({ done: true });
    expect(destroyed()).toEqual([]);
    while (destroyed().length === 0) await turn();
  });

  test('the second of one name is refused, and the first one goes on', async () => {
    const [first, second] = await Promise.allSettled([session(), session()]);
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'CONTAINER_EXISTS' } });
    const stream = (first as PromiseFulfilledResult<Output>).value;
    launched().pipes!.write('stdout', 'mine');
    expect(await written(stream, 4)).toEqual({ STDOUT: 'mine' });
    finish();
  });

  test.each<[string, object, number, string]>([
    ['no parent', { container_id: { value: 'look' } }, 400, 'CALL_INVALID'],
    [
      'an unknown parent',
      { container_id: { value: 'look', parent: { value: 'nobody' } } },
      400,
      'CONTAINER_UNKNOWN',
    ],
    ['cgroups of its own', { container: { linux_info: { share_cgroups: false } } }, 400, 'CALL_INVALID'],
    ['no command', { command: undefined }, 400, 'CALL_INVALID'],
    [
      "the agent's stdio",
      { command: undefined, config: { argv: ['x'], stdio: 'inherit' } },
      400,
      'UNSUPPORTED_FIELD',
    ],
  ])('refused: %s', async (_what, more, status, code) => {
    const answer = await agent.call(SESSION, { ...look, command: { value: 'x' }, ...more });
    expect(answer).toMatchObject({ status, body: { error: { code } } });
    expect(agent.containers.known.size).toBe(1);
  });

  test('a launch that fails is answered as one, and leaves no stream', async () => {
    agent.containers.failure = new CaissonError({ code: 'COMMAND_NOT_FOUND', kind: 'invalid', message: 'm' });
    expect(await agent.call(SESSION, { ...look, command: { value: 'x' } })).toMatchObject({
      status: 400,
      body: { error: { code: 'COMMAND_NOT_FOUND' } },
    });
  });
});
