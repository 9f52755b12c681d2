/** One agent follows another while containers run and clients ask: no container and no request notices. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SLOWNESS, withCensus } from '@caisson/linux/testing';
import { afterEach, describe, expect } from '@jest/globals';
import { wire } from './agent/api.js';
import { type Entry, Ledger, processOf } from './agent/ledger.js';
import { Load } from './agent/load.js';
import { Random } from './agent/random.js';
import { CONFIGURATION, useAgent } from './agent/use-agent.js';
import type { Running } from './running.js';

const CONTAINERS = 100;

const { test, folder, agent, api } = useAgent();

const call = async (type: string, id: string, more: object = {}) =>
  api.call(type, { container_id: wire(id), ...more });

async function launch(id: string, script: string): Promise<void> {
  const config = { argv: ['sh', '-c', script] };
  expect(await call('LAUNCH_CONTAINER', id, { config })).toMatchObject({ status: 200 });
}

const outputOf = async (id: string): Promise<string> => {
  const { text } = await api.send('GET', `/files/read?offset=0&path=/containers/${id}/stdout`);
  return JSON.parse(text).data;
};

const processes = async () =>
  Object.fromEntries(
    (await agent.list()).map(({ container_id, container_status }) => [
      container_id.value,
      processOf(container_status?.executor_pid),
    ]),
  );

/** A request whose records come, and may go, for as long as it lasts. */
function converse(type: string, streamed: boolean): Conversation {
  const headers = {
    'Content-Type': streamed ? 'application/recordio' : 'application/json',
    ...(streamed && { 'Message-Content-Type': 'application/json' }),
    Accept: 'application/json',
  };
  const options = { socketPath: agent.socket, method: 'POST', path: '/api/v1', headers, agent: false };
  let finish!: (status: number) => void;
  const ended = new Promise<number>((resolve) => {
    finish = resolve;
  });
  const sent = request(options, (response) => {
    response.setEncoding('utf8').on('data', (text: string) => {
      conversation.received += text;
    });
    response.once('error', () => finish(0));
    response.once('end', () => finish(response.statusCode ?? 0));
  });
  sent.once('error', () => finish(0));
  const conversation: Conversation = {
    received: '',
    ended,
    send(input) {
      const text = JSON.stringify({ type, [type.toLowerCase()]: input });
      sent.write(streamed ? `${Buffer.byteLength(text)}\n${text}` : text);
    },
    end: () => sent.end(),
    leave: () => sent.destroy(),
  };
  return conversation;
}

interface Conversation {
  received: string;
  /** The status; 0 if it broke off. */
  readonly ended: Promise<number>;
  send(input: object): void;
  end(): void;
  leave(): void;
}

function subscribe(): Conversation {
  const conversation = converse('SUBSCRIBE', false);
  conversation.send({});
  conversation.end();
  return conversation;
}

function attachTo(id: string, more: object = {}): Conversation {
  const conversation = converse('ATTACH_CONTAINER_OUTPUT', false);
  conversation.send({ container_id: wire(id), ...more });
  conversation.end();
  return conversation;
}

/** Of one who counts. */
function expectNoGap(output: string): void {
  const numbers = (output.match(/^\d+$/gm) ?? []).map(Number);
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
}

/** What records of ProcessIO say. */
const outputIn = (records: string): string =>
  [...records.matchAll(/"data":"([^"]*)"/g)]
    .map(([, data = '']) => Buffer.from(data, 'base64').toString())
    .join('');

/** False: who had it is dead. */
const isAnswered = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(socketPath, () => {
      socket.destroy();
      resolve(true);
    }).once('error', () => resolve(false));
  });

/** Of 127.0.0.1. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** @param shown  what there is instead */
async function until(condition: () => boolean, shown: () => string): Promise<void> {
  const deadline = performance.now() + 15_000 * SLOWNESS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`it does not come; there is: ${shown()}`);
    await sleep(5);
  }
}

describe('caisson agent --takeover', () => {
  afterEach(async () => {
    folder.configure(CONFIGURATION);
    await agent.removeAll().catch(() => {});
    await agent.stop();
    await agent.tidy();
  });
  // After the hook that cleans up.
  withCensus({ directories: folder.directories, reapOrphans: true });

  test(`${CONTAINERS} containers go on, and no request is refused`, async () => {
    await agent.start();
    const names = Array.from({ length: CONTAINERS }, (_, n) => `keeps-${n}`);
    await Promise.all(names.map((name) => launch(name, 'exec sleep 1000')));
    const before = await processes();
    const random = new Random(1);
    const ledger = new Ledger();
    const load = new Load(agent, ledger, random);
    const running = load.run();
    const followed: Running[] = [];
    for (let n = 0; n < 3; n += 1) {
      followed.push(agent.running);
      await agent.start('--takeover');
      await sleep(100);
    }
    load.end();
    // Those that end by themselves first: a status of a kill would be none of theirs.
    const [lasting, ending] = [true, false].map((lasts) =>
      [...ledger.entries.values()].filter(({ exitCode }) => (exitCode === undefined) === lasts),
    ) as [Entry[], Entry[]];
    await Promise.all(ending.map(({ id }) => call('WAIT_CONTAINER', id)));
    await Promise.all(lasting.map(({ id }) => call('KILL_CONTAINER', id)));
    await running;
    for (const each of followed) expect(await each.ended).toMatchObject({ status: 0, stdout: '' });
    expect(load).toMatchObject({ problems: [], isBroken: false });
    expect(load.answered).toBeGreaterThan(20);
    expect(await processes()).toMatchObject(before);
  });

  test('who waits, stops or listens has his answer from the next one', async () => {
    await agent.start();
    await launch('ends', 'exec sleep 1000');
    await launch('deaf', 'trap "echo told" TERM; echo ready; while :; do sleep 0.02; done');
    while ((await outputOf('deaf')) !== 'ready\n') await sleep(5);
    const subscriber = subscribe();
    await until(
      () => subscriber.received.includes('SUBSCRIBED'),
      () => subscriber.received,
    );
    const waiting = call('WAIT_CONTAINER', 'ends');
    const began = performance.now();
    const stopping = call('STOP_CONTAINER', 'deaf', { grace_period: { nanoseconds: 2e9 } });
    await sleep(50);
    await takeOverWhileAnswering([waiting, stopping], async () => {
      await call('KILL_CONTAINER', 'ends');
      expect(await waiting).toMatchObject({ status: 200, body: { exit_status: 9 } });
      expect(await stopping).toMatchObject({ status: 200, body: { exit_status: 9 } });
      expect(performance.now() - began).toBeGreaterThan(2000);
      // By its event, or by what a subscription begins with, if it ended while nobody had the containers.
      const isTold = (id: string) =>
        new RegExp(`CONTAINER_ENDED.*"${id}"|"value":"${id}"},"state":"ENDED"`).test(subscriber.received);
      await until(
        () => isTold('ends') && isTold('deaf'),
        () => subscriber.received,
      );
      subscriber.leave();
    });
    expect(await outputOf('deaf')).toBe('ready\ntold\n');
  });

  /** The one before stays until those who were there have their answers. */
  async function takeOverWhileAnswering(
    pending: readonly Promise<unknown>[],
    then: () => Promise<void>,
  ): Promise<void> {
    const before = agent.running;
    await agent.start('--takeover');
    expect(await Promise.race([...pending.map(() => before.ended), sleep(20, 'stays')])).toBe('stays');
    await then();
    expect(await before.ended).toMatchObject({ status: 0, stdout: '' });
  }

  test('who is attached misses nothing, and what he sends arrives', async () => {
    await agent.start();
    const container_id = wire('cat');
    // It says each number as it reads it, and counts on by itself.
    const script =
      '(n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done) & while read -r line; do echo "<$line>"; done; wait';
    const config = { argv: ['sh', '-c', script], stdio: 'pipes' };
    expect(await call('LAUNCH_CONTAINER', 'cat', { config })).toMatchObject({ status: 200 });
    const output = attachTo('cat');
    const positioned = attachTo('cat', { from: { stdout: 0 } });
    const input = converse('ATTACH_CONTAINER_INPUT', true);
    input.send({ type: 'CONTAINER_ID', container_id });
    const type = (text: string) => {
      const data = { type: 'STDIN', data: Buffer.from(text).toString('base64') };
      input.send({ type: 'PROCESS_IO', process_io: { type: 'DATA', data } });
    };
    type('before\n');
    const seen = () => outputIn(output.received);
    await until(() => seen().includes('<before>'), seen);
    for (const word of ['first', 'second']) {
      const before = agent.running;
      const successor = agent.start('--takeover');
      await sleep(20);
      type(`${word}\n`);
      await successor;
      type(`after ${word}\n`);
      await until(() => seen().includes(`<after ${word}>`), seen);
      expect(seen()).toContain(`<${word}>`);
      expect(before.child.exitCode).toBe(null); // it stays for them
    }
    expectNoGap(seen());
    const all = () => outputIn(positioned.received);
    await until(() => all().includes('<after second>'), all);
    expectNoGap(all());
    expect(all()).toMatch(/^1\n/);
    input.end();
    expect(await input.ended).toBe(200);
    await call('KILL_CONTAINER', 'cat');
    expect(await output.ended).toBe(200);
  });

  test('a connection that nobody uses is not closed under whoever asks next', async () => {
    await agent.start();
    const socket = connect(agent.socket).setEncoding('utf8');
    let received = '';
    socket.on('data', (text: string) => {
      received += text;
    });
    const ask = async () => {
      received = '';
      socket.write('GET /health HTTP/1.1\r\nHost: agent\r\n\r\n');
      await until(
        () => received.includes('\r\n\r\n') || socket.destroyed,
        () => received,
      );
      return received.split('\r\n', 1)[0];
    };
    expect(await ask()).toBe('HTTP/1.1 200 OK');
    expect(received).toContain('Keep-Alive: timeout=5\r\n');
    const before = agent.running;
    await agent.start('--takeover');
    await before.says(/another agent has taken over/);
    await sleep(200); // it would be closed by now
    expect(await ask()).toBe('HTTP/1.1 200 OK');
    expect(await before.ended).toMatchObject({ status: 0 });
  });

  test('over TCP: who waits is answered by the next one, and the port is its', async () => {
    const port = await freePort();
    const flags = ['--port', `${port}`, '--tcp-without-authentication'];
    const at = (path: string) => `http://127.0.0.1:${port}${path}`;
    const post = (body: object) =>
      fetch(at('/api/v1'), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
    await agent.start(...flags);
    await launch('web', 'exec sleep 1000');
    const waiting = post({ type: 'WAIT_CONTAINER', wait_container: { container_id: wire('web') } });
    // Behind it, on a connection of its own.
    expect((await post({ type: 'GET_CONTAINERS' })).status).toBe(200);
    const before = agent.running;
    await agent.start('--takeover', ...flags);
    expect(await (await post({ type: 'GET_CONTAINERS' })).json()).toMatchObject({
      get_containers: { containers: [{ container_id: { value: 'web' } }] },
    });
    await call('KILL_CONTAINER', 'web');
    expect(await (await waiting).json()).toMatchObject({ wait_container: { exit_status: 9 } });
    expect(await before.ended).toMatchObject({ status: 0 });
  });

  test('a successor that cannot start changes nothing', async () => {
    await agent.start();
    await launch('web', 'exec sleep 1000');
    const before = await processes();
    folder.configure({ ...CONFIGURATION, isolation: ['acme/nothing'] });
    expect(await folder.caisson(['agent', '--takeover'])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('acme/nothing'),
    });
    expect(await processes()).toEqual(before);
    expect(agent.isRunning).toBe(true);
  });

  test('a successor whose port is taken: the one before has its containers, its port and its configuration again', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const port = await freePort();
    const open = '--tcp-without-authentication';
    await agent.start('--port', `${port}`, open);
    await launch('web', 'exec sleep 1000');
    const before = await processes();
    folder.configure({ ...CONFIGURATION, isolation: [...CONFIGURATION.isolation, 'linux/nnp'] });
    agent.running.child.kill('SIGHUP');
    await agent.running.says(/"msg":"a new configuration/);
    const next = ['agent', '--takeover', '--port', `${(taken.address() as AddressInfo).port}`, open];
    expect(await folder.caisson(next)).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('EADDRINUSE'),
    });
    taken.close();
    expect(await processes()).toEqual(before);
    const flags = await fetch(`http://127.0.0.1:${port}/flags`);
    expect(await flags.json()).toMatchObject({ flags: { isolation: expect.stringContaining('linux/nnp') } });
  });

  test('a successor that is killed on its way: the containers are taken back, or it has them; who is attached misses nothing', async () => {
    await agent.start();
    await launch('web', 'exec sleep 1000');
    const script = 'n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done';
    const config = { argv: ['sh', '-c', script], stdio: 'pipes' };
    expect(await call('LAUNCH_CONTAINER', 'counts', { config })).toMatchObject({ status: 200 });
    const before = await processes();
    const attach = () => [attachTo('counts'), attachTo('counts', { from: { stdout: 0 } })];
    let attached = attach();
    const random = new Random(2);
    for (let n = 0; n < 8; n += 1) {
      const next: Running = folder.start(['agent', '--takeover']);
      // Most of its time it loads; the end of it is what counts.
      await Promise.race([next.says(/"msg":"listening"/), next.ended]);
      await sleep(random.below(60));
      next.child.kill('SIGKILL');
      await next.ended;
      if (!(await isAnswered(agent.socket))) {
        await agent.running.ended;
        await agent.start();
        attached = attach();
      }
      expect(await processes()).toEqual(before);
      for (const output of attached) {
        const seen = () => outputIn(output.received);
        const { length } = seen();
        await until(() => seen().length > length, seen);
        expectNoGap(seen());
      }
    }
    // What the last one had begun to write is collected by whoever starts next.
    await agent.stop();
    await agent.start();
    expect(await processes()).toEqual(before);
  });

  test('a successor that gives up, and takes its time to end: its containers are waited for', async () => {
    await agent.start();
    await launch('web', 'exec sleep 1000');
    const before = await processes();
    const file = join(dirname(agent.socket), 'owner');
    const claim = JSON.parse(readFileSync(file, 'utf8'));
    const successor = spawn('sleep', ['1000']);
    const ended = once(successor, 'exit');
    const server = createServer().listen(`${agent.socket}.next`);
    await once(server, 'listening');
    expect(await api.call('HAND_OVER')).toMatchObject({ status: 200 });
    const start = processOf(successor.pid)!.split('@')[1];
    writeFileSync(file, JSON.stringify({ ...claim, pid: successor.pid, start, token: 'aa' }), { flag: 'wx' });
    server.close();
    const listed = processes();
    try {
      await agent.running.says(/"msg":"waiting for the containers"/);
    } finally {
      successor.kill();
      await ended;
    }
    expect(await listed).toEqual(before);
  });

  test('without an agent to follow it is an ordinary start', async () => {
    await agent.start('--takeover');
    expect(await agent.list()).toEqual([]);
  });
});
