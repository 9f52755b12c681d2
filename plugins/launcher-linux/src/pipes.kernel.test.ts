import { closeSync, openSync, readFileSync, readlinkSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pollReadable } from '@caisson/linux/syscalls';
import { afterEach, describe, expect } from '@jest/globals';
import { adoptContainer } from './adopt.js';
import type { LinuxProcess } from './linux-process.js';
import { startAgent } from './testing/agent.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';

const kit = useLaunchKit({ reapOrphans: true });
const user = { uid: 1000, gid: 1000, supplementaryGids: [] };
const SIGKILL = 9;
const NEVER = /(?!)/;

/** Whoever is at the other ends. */
class Client {
  readonly #open = new Set<number>();
  readonly stdin: number | undefined;
  readonly stdout: number;
  readonly stderr: number;

  constructor(process: LinuxProcess) {
    const taken = process.pipes!.take();
    ({ stdin: this.stdin, stdout: this.stdout, stderr: this.stderr } = taken);
    for (const fd of Object.values(taken)) if (fd !== undefined) this.#open.add(fd);
  }

  /** What comes until the pattern does, or the end. */
  async reads(fd: number, pattern: RegExp = NEVER): Promise<string> {
    let text = '';
    const buffer = Buffer.alloc(4096);
    while (!pattern.test(text)) {
      if (!pollReadable(fd, 0)) {
        await sleep(1);
        continue;
      }
      const length = readSync(fd, buffer);
      if (length === 0) break;
      text += buffer.toString('utf8', 0, length);
    }
    return text;
  }

  types(text: string): void {
    writeSync(this.stdin!, text);
  }

  close(fd: number): void {
    this.#open.delete(fd);
    closeSync(fd);
  }

  leave(): void {
    for (const fd of this.#open) this.close(fd);
  }
}

const clients: Client[] = [];

function attach(process: LinuxProcess): Client {
  const client = new Client(process);
  clients.push(client);
  return client;
}

describe('pipes', () => {
  afterEach(() => {
    for (const client of clients.splice(0)) client.leave();
  });

  kernelTest('are 0, 1 and 2 of the container, apart, and pipes that its user can open again', async () => {
    const script =
      'readlink /proc/self/fd/0; read a </proc/self/fd/0; echo "out $a" >/proc/self/fd/1; echo err >/proc/self/fd/2';
    const launched = await kit.start(script, { stdio: 'pipes', user });
    const client = attach(launched.process);
    client.types('hello\n');
    expect(await client.reads(client.stdout)).toMatch(/^pipe:\[\d+\]\nout hello\n$/);
    expect(await client.reads(client.stderr)).toBe('err\n');
    expect((await launched.end()).exitCode).toBe(0);
  });

  kernelTest('stdin ends when it is told to, and not because nobody writes to it', async () => {
    const launched = await kit.start('cat; echo over', { stdio: 'pipes' });
    const first = attach(launched.process);
    first.types('a\n');
    first.close(first.stdin!);
    expect(await first.reads(first.stdout, /a\n/)).toBe('a\n');
    const second = attach(launched.process);
    second.types('b\n');
    expect(await second.reads(second.stdout, /b\n/)).toBe('b\n');
    launched.process.pipes?.endInput();
    launched.process.pipes?.endInput();
    // Whoever has a copy still may write.
    second.types('c\n');
    second.close(second.stdin!);
    expect(await second.reads(second.stdout)).toBe('c\nover\n');
    expect(attach(launched.process).stdin).toBeUndefined();
  });

  kernelTest('what the container wrote is moved to a file, until its end', async () => {
    const { process } = await kit.start('echo one; read x; echo two', { stdio: 'pipes' });
    const client = attach(process);
    const { toFile, onReady } = process.pipes!.moves!;
    const ready = () => new Promise<void>((resolve) => onReady(client.stdout, resolve));
    const path = join(kit.directory, 'moved');
    const file = openSync(path, 'w+');
    try {
      await ready();
      expect(toFile(client.stdout, file, 0, 65536)).toBe(4);
      expect(toFile(client.stdout, file, 4, 65536)).toBeUndefined();
      onReady(client.stdout, () => expect('called').toBe('not called'))();
      client.types('\n');
      await ready();
      expect(toFile(client.stdout, file, 4, 65536)).toBe(4);
      await ready();
      expect(toFile(client.stdout, file, 8, 65536)).toBe(0);
      expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
    } finally {
      closeSync(file);
      rmSync(path);
    }
  });

  kernelTest('a container that takes back what it wrote makes nobody wait', async () => {
    const script = 'exec 3</proc/self/fd/1; echo one; read x <&3; echo "took $x" >&2; sleep 1000';
    const { process } = await kit.start(script, { stdio: 'pipes' });
    const client = attach(process);
    expect(await client.reads(client.stderr, /took/)).toBe('took one\n');
    expect(() => readSync(client.stdout, Buffer.alloc(8))).toThrow('EAGAIN');
  });

  kernelTest('only 0, 1 and 2 of the container know of them (N3)', async () => {
    const launched = await kit.start('ls -l /proc/self/fd; sleep 1000', { stdio: 'pipes' });
    const client = attach(launched.process);
    const list = await client.reads(client.stdout, / 2 ->[^\n]*\n.*\n/s);
    // 3 is the directory that ls reads.
    expect([...list.matchAll(/ (\d+) -> (\w+)/g)].map(([, fd, what]) => `${fd} ${what}`)).toEqual([
      '0 pipe',
      '1 pipe',
      '2 pipe',
    ]);
  });

  kernelTest(
    'outlive the agent: neither SIGPIPE nor an end of stdin; the next one takes them back',
    async () => {
      const script = 'while read a; do echo "$a"; echo more >&2; done; echo over';
      const plan = kit.plan(script, { stdio: 'pipes' });
      const agent = await startAgent({ containers: [kit.container()], plan, until: 'running' });
      await agent.kill();
      const [{ container, state }] = agent.launched as [(typeof agent.launched)[number]];
      const next = adoptContainer(container, state, kit.reaper, kit.cgroups)!;
      const client = attach(next);
      client.types('one\n');
      expect(await client.reads(client.stdout, /one\n/)).toBe('one\n');
      // Another agent later.
      client.leave();
      next.close();
      const last = kit.adopt({ container, state });
      const other = attach(last.process);
      other.types('two\n');
      last.process.pipes?.endInput();
      other.close(other.stdin!);
      expect(await other.reads(other.stdout)).toBe('two\nover\n');
      expect(await other.reads(other.stderr)).toBe('more\nmore\n');
      expect((await last.end()).exitCode).toBe(0);
    },
  );

  kernelTest('are gone with the container: a supervisor that was killed leaves none', async () => {
    const launched = await kit.start('sleep 1000', { stdio: 'pipes' });
    const client = attach(launched.process);
    process.kill(launched.process.state.supervisor.pid, SIGKILL);
    expect(await client.reads(client.stdout)).toBe('');
    expect(readlinkSync(`/proc/self/fd/${client.stdout}`)).toMatch(/^pipe:/);
    expect((await launched.end()).signal).toBe('SIGKILL');
  });
});
