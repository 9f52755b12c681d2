import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { F, fcntl } from '@caisson/linux/syscalls';
import type { Container } from '@caisson/plugin-sdk';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { NullInput } from './null-input.js';
import { sandboxStdio } from './stdio.js';

const [O_APPEND, O_NONBLOCK] = [0o2000, 0o4000];
let sandbox = '';
beforeEach(() => {
  sandbox = mkdtempSync(join(tmpdir(), 'caisson-stdio-'));
});
afterEach(() => rmSync(sandbox, { recursive: true }));

// The real one needs root: rules.kernel.test.ts.
const input = { open: () => openSync('/dev/null', 'r') } as NullInput;
const open = () => sandboxStdio({ id: 'web', sandbox } as Container, undefined, input);
const openDescriptors = () => readdirSync('/proc/self/fd').length;

describe('the files of a sandbox', () => {
  test('are created, and what is there is kept', () => {
    writeFileSync(join(sandbox, 'stdout'), 'before\n');
    const { descriptors, owned } = open();
    writeSync(descriptors[1], 'after\n');
    writeSync(descriptors[2], 'error\n');
    expect(fstatSync(descriptors[0]).isCharacterDevice()).toBe(true);
    for (const fd of owned) closeSync(fd);
    expect(readFileSync(join(sandbox, 'stdout'), 'utf8')).toBe('before\nafter\n');
    expect(readFileSync(join(sandbox, 'stderr'), 'utf8')).toBe('error\n');
    expect(statSync(join(sandbox, 'stderr')).mode & 0o777).toBe(0o640);
  });

  test('block as files do, and are appended to', () => {
    const { descriptors, owned } = open();
    const flags = fcntl(descriptors[1], F.F_GETFL);
    expect(flags & O_APPEND).not.toBe(0);
    expect(flags & O_NONBLOCK).toBe(0);
    for (const fd of owned) closeSync(fd);
  });
});

describe('F8: what a container before has left under the name is refused, and no descriptor stays', () => {
  const host = () => join(sandbox, 'of-the-host');
  const plant: readonly [string, (path: string) => void, RegExp][] = [
    ['a link to a file of the host', (path) => symlinkSync(host(), path), /symbolic link/],
    ['a link that dangles', (path) => symlinkSync('/no/such/file', path), /symbolic link/],
    ['a FIFO that nobody reads', (path) => execFileSync('mkfifo', [path]), /FIFO/],
    ['a directory', (path) => mkdirSync(path), /directory/],
    [
      'a second name of a file',
      (path) => {
        writeFileSync(host(), 'precious');
        linkSync(host(), path);
      },
      /second name/,
    ],
  ];

  for (const name of ['stdout', 'stderr'])
    test.each(plant)(`%s as ${name}`, (_, put, why) => {
      put(join(sandbox, name));
      const before = openDescriptors();
      expect(open).toThrow(
        expect.objectContaining({
          code: 'SANDBOX_FILE_REFUSED',
          kind: 'denied',
          message: expect.stringMatching(why),
        }),
      );
      expect(openDescriptors()).toBe(before);
    });

  test('a FIFO that somebody reads', () => {
    const path = join(sandbox, 'stdout');
    execFileSync('mkfifo', [path]);
    const reader = execFileSync('sh', ['-c', `exec 3<>"${path}"; sleep 10 <&3 >/dev/null 2>&1 & echo $!`]);
    expect(open).toThrow(expect.objectContaining({ message: expect.stringMatching(/not a regular file/) }));
    process.kill(Number(reader), 'SIGKILL');
  });

  test('a socket', async () => {
    const server = createServer().listen(join(sandbox, 'stdout'));
    await new Promise((resolve) => server.once('listening', resolve));
    expect(open).toThrow(expect.objectContaining({ code: 'SANDBOX_FILE_REFUSED' }));
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('F8: the sandbox of a nested container lies in a tree that its parent writes', () => {
  const nested = () => ({
    id: 'web.job',
    parentId: 'web',
    sandbox: join(sandbox, 'sandbox/containers/job'),
  });
  const openNested = () => sandboxStdio(nested() as Container, undefined, input);
  const host = () => join(sandbox, 'host');
  beforeEach(() => {
    mkdirSync(nested().sandbox, { recursive: true });
    mkdirSync(join(host(), 'job'), { recursive: true });
  });

  test('its files are made in it', () => {
    for (const fd of openNested().owned) closeSync(fd);
    expect(readdirSync(nested().sandbox)).toEqual(['stderr', 'stdout']);
  });

  test.each(['containers', 'containers/job'])('a link in the place of %s leads nowhere', (place) => {
    const path = join(sandbox, 'sandbox', place);
    rmSync(path, { recursive: true });
    symlinkSync(place === 'containers' ? host() : join(host(), 'job'), path);
    const before = openDescriptors();
    // As it would be by its path.
    for (const fd of sandboxStdio({ id: 'web', sandbox: nested().sandbox } as Container, undefined, input)
      .owned)
      closeSync(fd);
    expect(readdirSync(join(host(), 'job'))).toEqual(['stderr', 'stdout']);
    for (const name of ['stderr', 'stdout']) rmSync(join(host(), 'job', name));
    expect(openNested).toThrow(expect.objectContaining({ code: 'SANDBOX_FILE_REFUSED', kind: 'denied' }));
    expect(readdirSync(join(host(), 'job'))).toEqual([]);
    expect(openDescriptors()).toBe(before);
  });
});
