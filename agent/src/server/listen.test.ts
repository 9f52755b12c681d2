import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { listenOnSocket } from './listen.js';
import { FakeAgent } from './testing/fake-agent.js';

const directory = mkdtempSync(join(tmpdir(), 'caisson-listen-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('the socket is for its owner alone, whatever the mask, and goes at the end (A1)', async () => {
  const agent = new FakeAgent();
  const path = join(directory, 'made/agent.sock');
  const mask = process.umask(0);
  const file = await listenOnSocket(agent.app, path);
  expect(process.umask(mask)).toBe(0);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, 'made')).mode & 0o777).toBe(0o700);
  file.remove();
  expect(existsSync(path)).toBe(false);
  await agent.close();
});

test('one that answers is left alone', async () => {
  const path = join(directory, 'other.sock');
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => other.listen(path, resolve));
  const agent = new FakeAgent();
  await expect(listenOnSocket(agent.app, path)).rejects.toMatchObject({ code: 'AGENT_RUNS_ALREADY' });
  expect(existsSync(path)).toBe(true);
  await agent.close();
  await new Promise((resolve) => other.close(resolve));
});

test.each([
  ['a path that is too long', 'x'.repeat(120)],
  ['something else of this name', 'directory'],
])('%s is refused, and kept', async (_what, name) => {
  mkdirSync(join(directory, 'directory'), { recursive: true });
  const agent = new FakeAgent();
  await expect(listenOnSocket(agent.app, join(directory, name))).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
  });
  expect(existsSync(join(directory, 'directory'))).toBe(true);
  await agent.close();
});
