import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { CaissonError } from '@caisson/plugin-sdk';
import { afterAll, expect, test } from '@jest/globals';
import { FakeAgent } from '../testing/fake-agent.js';

const agent = new FakeAgent();
afterAll(() => agent.close());
const { containers } = agent;

test('launches, failures by phase and isolator, ends, taps', async () => {
  await containers.launch('web', { argv: ['true'] });
  containers.emit({ type: 'tap', id: 'web', isolator: 'acme/tally', phase: 'prepare', ms: 3, failed: false });
  const details = { isolator: 'acme/tally', phase: 'isolate' };
  const error = new CaissonError({ code: 'X', kind: 'failed', message: '', details });
  containers.emit({ type: 'launch-failed', id: 'x', error });
  containers.emit({ type: 'destroy-failed', id: 'x', error });
  containers.end('web', { reason: 'EXITED' });
  const { body } = await agent.get('/metrics');
  for (const line of [
    'caisson_launches_total{outcome="launched"} 1',
    'caisson_launches_total{outcome="failed"} 1',
    'caisson_launch_failures_total{phase="isolate",isolator="acme/tally"} 1',
    'caisson_ended_total{reason="EXITED"} 1',
    'caisson_destroy_errors_total 1',
    'caisson_phase_seconds_count{phase="prepare",isolator="acme/tally"} 1',
    'caisson_containers{state="ENDED"} 1',
  ])
    expect(body).toContain(line);
  expect(body).toMatch(/caisson_event_loop_delay_seconds\{quantile="0.99"\} [\d.e-]+/);
});

test('the names of Mesos, all numbers', async () => {
  const { body } = await agent.get('/metrics/snapshot?timeout=10secs');
  expect(body).toMatchObject({
    'slave/container_launch_errors': 1,
    'containerizer/mesos/container_destroy_errors': 1,
  });
  for (const value of Object.values(body)) expect(typeof value).toBe('number');
  expect(await agent.get('/metrics/snapshot?timeout=10')).toMatchObject({ status: 400 });
});

test('SUBSCRIBE: what there is, then what happens; a subscriber that leaves is forgotten', async () => {
  containers.known.clear();
  await containers.launch('a', { argv: ['true'] });
  const listeners = containers.listeners;
  const socketPath = `${containers.directory}/agent.sock`;
  await agent.app.listen({ path: socketPath });
  const headers = { 'content-type': 'application/json', accept: 'application/recordio' };
  const sent = request({ socketPath, path: '/api/v1', method: 'POST', headers });
  sent.end('{"type":"SUBSCRIBE"}');
  const [stream] = (await once(sent, 'response')) as [IncomingMessage];
  expect(stream.headers).toMatchObject({
    'content-type': 'application/recordio',
    'message-content-type': 'application/json',
  });
  let text = '';
  stream.on('data', (data) => {
    text += data;
  });
  containers.end('a', { status: 256, exitCode: 1, reason: 'EXITED' });
  while (!text.includes('CONTAINER_ENDED')) await new Promise(setImmediate);
  expect(text).toContain(
    '{"type":"SUBSCRIBED","subscribed":{"heartbeat_interval":{"nanoseconds":30000000000},"containers":[{"container_id":{"value":"a"},"state":"RUNNING"}]}}',
  );
  expect(text).toContain(
    '{"type":"CONTAINER_ENDED","container_ended":{"container_id":{"value":"a"},"exit_status":256,"cause":"EXITED","exit_code":1}}',
  );
  expect(containers.listeners).toBe(listeners + 1);
  stream.destroy();
  while (containers.listeners !== listeners) await new Promise(setImmediate);
});
