import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FakeAgent } from '../testing/fake-agent.js';

const agent = new FakeAgent();
const { directory } = agent.containers;
const sandbox = join(directory, 'containers/box/sandbox');
const inSandbox = (...names: string[]) => join(sandbox, ...names);

beforeAll(async () => {
  for (const id of ['box', 'box2', 'box.inner']) {
    await agent.containers.launch(id, { argv: ['true'] });
    mkdirSync(join(directory, 'containers', id, 'sandbox'), { recursive: true });
  }
  writeFileSync(inSandbox('stdout'), 'hello');
  writeFileSync(inSandbox('binary'), Buffer.from([0, 255, 128]));
  writeFileSync(join(directory, 'containers/box2/sandbox/secret'), 'of box2');
  mkdirSync(inSandbox('folder'));
  symlinkSync('/etc/passwd', inSandbox('link'));
  symlinkSync('../../box2/sandbox', inSandbox('link-to-directory'));
  symlinkSync('stdout', inSandbox('link-inside'));
  execFileSync('mkfifo', [inSandbox('fifo')]);
});
afterAll(() => agent.close());

const read = (path: string, offset = 0, length?: number) => agent.call('READ_FILE', { path, offset, length });
const text = ({ body }: { body: { read_file: { data: string } } }) =>
  Buffer.from(body.read_file.data, 'base64').toString('latin1');
const url = (name: string, query: Record<string, string | number>) =>
  `/files/${name}?${new URLSearchParams(Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]))}`;

describe('READ_FILE', () => {
  test.each([
    ['/containers/box/stdout', 0, undefined, 'hello'],
    ['/containers/box//./stdout', 0, undefined, 'hello'],
    [inSandbox('stdout'), 0, undefined, 'hello'],
    ['/containers/box/stdout', 1, 3, 'ell'],
    ['/containers/box/stdout', 5, 3, ''],
    ['/containers/box/stdout', 500, undefined, ''],
    ['/containers/box/stdout', 4, 100, 'o'],
    ['/containers/box/binary', 0, undefined, '\x00\xff\x80'],
  ])('%s from %i, %s bytes', async (path, offset, length, content) => {
    const answer = await read(path, offset, length);
    expect(answer).toMatchObject({ status: 200 });
    expect(text(answer)).toBe(content);
  });

  test.each([
    ['nothing there', '/containers/box/nothing', 404],
    ['another container', '/containers/nobody/stdout', 404],
    ['a path of the host', '/etc/passwd', 404],
    ['no absolute path', 'containers/box/stdout', 400],
    ['..', '/containers/box/../box2/secret', 400],
    ['a directory', '/containers/box', 400],
    ['a directory', '/containers/box/folder', 400],
    ['a link out of the sandbox', '/containers/box/link', 400],
    ['a link within the sandbox', '/containers/box/link-inside', 400],
    ['a way through a link', '/containers/box/link-to-directory/secret', 404],
    ['a way through a file', '/containers/box/stdout/x', 404],
    ['a FIFO, which would block', '/containers/box/fifo', 400],
    ['a name that is too long', `/containers/box/${'x'.repeat(300)}`, 400],
    ['the beginning of a longer name', `${sandbox}2/secret`, 404],
  ])('refuses %s: %s', async (_what, path, status) => {
    expect(await read(path)).toMatchObject({ status, body: { error: {} } });
  });

  test('a negative offset is no offset', async () => {
    expect(await read('/containers/box/stdout', -1)).toMatchObject({ status: 400 });
  });

  test('gives a large file in pieces', async () => {
    writeFileSync(inSandbox('large'), '');
    truncateSync(inSandbox('large'), 2 ** 33);
    const answer = await read('/containers/box/large', 2 ** 33 - 10);
    expect(answer.body.read_file.size).toBe(2 ** 33);
    expect(text(answer)).toHaveLength(10);
    expect(text(await read('/containers/box/large', 0, 2 ** 33))).toHaveLength(256 * 1024);
  });
});

describe('a sandbox that changes while it is read (A4, F1)', () => {
  test('what is exchanged for a link is not followed', async () => {
    mkdirSync(inSandbox('moving'));
    writeFileSync(inSandbox('moving/secret'), 'mine');
    const paths = Array.from({ length: 300 }, (_each, index) => {
      renameSync(inSandbox(index % 2 ? 'aside' : 'moving'), inSandbox(index % 2 ? 'moving' : 'aside'));
      if (index % 2 === 0) symlinkSync('../../box2/sandbox', inSandbox('moving'));
      const answer = read('/containers/box/moving/secret');
      if (index % 2 === 0) rmSync(inSandbox('moving'));
      return answer;
    });
    const answers = await Promise.all(paths);
    for (const answer of answers) if (answer.status === 200) expect(text(answer)).toBe('mine');
  });
});

describe('LIST_FILES', () => {
  test('lists a directory, sorted; links as links', async () => {
    const { body } = await agent.call('LIST_FILES', { path: '/containers/box' });
    const infos: { path: string; mode: number }[] = body.list_files.file_infos;
    const names = infos.map(({ path }) => path);
    expect(names).toEqual([...names].sort());
    expect(infos.find(({ path }) => path === '/containers/box/link')!.mode & 0o170000).toBe(0o120000);
  });

  test('of a file nothing; of nothing 404', async () => {
    expect(await agent.call('LIST_FILES', { path: '/containers/box/stdout' })).toMatchObject({
      body: { list_files: { file_infos: [] } },
    });
    expect(await agent.call('LIST_FILES', { path: '/containers/box/nothing' })).toMatchObject({
      status: 404,
    });
  });
});

describe('/files', () => {
  test('browse', async () => {
    const { body } = await agent.get(url('browse', { path: '/containers/box' }));
    expect(body).toContainEqual(
      expect.objectContaining({ path: '/containers/box/folder', mode: expect.stringMatching(/^drwx/) }),
    );
    expect(await agent.get('/files/browse')).toMatchObject({ status: 400 });
    expect(await agent.get(url('browse', { path: '/containers/x' }))).toMatchObject({ status: 404 });
  });

  test.each<[Record<string, string | number>, number, unknown]>([
    [{}, 200, { offset: 5, data: '' }],
    [{ offset: -1 }, 200, { offset: 5, data: '' }],
    [{ offset: 0 }, 200, { offset: 0, data: 'hello' }],
    [{ offset: 1, length: 2 }, 200, { offset: 1, data: 'el' }],
    [{ offset: 9 }, 200, { offset: 9, data: '' }],
    [{ offset: -2 }, 400, { error: { code: 'REQUEST_MALFORMED' } }],
    [{ offset: 'x' }, 400, { error: { code: 'REQUEST_MALFORMED' } }],
    [{ offset: 0, length: -2 }, 400, { error: { code: 'REQUEST_MALFORMED' } }],
  ])('read %j', async (query, status, body) => {
    expect(await agent.get(url('read', { path: '/containers/box/stdout', ...query }))).toMatchObject({
      status,
      body,
    });
  });

  test('download gives the bytes and a name, as no page', async () => {
    const answer = await agent.app.inject(url('download', { path: '/containers/box/binary' }));
    expect([...answer.rawPayload]).toEqual([0, 255, 128]);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      'content-disposition': "attachment; filename*=UTF-8''binary",
    });
    expect(await agent.get(url('download', { path: '/containers/box' }))).toMatchObject({ status: 400 });
  });

  test('debug tells where sandboxes are', async () => {
    expect((await agent.get('/files/debug')).body).toMatchObject({ '/containers/box': sandbox });
  });
});
