/** `caisson agent` from outside: each command against it, what survives its SIGKILL, docs/api.md as a reader would type it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Folder, repository } from './caisson.js';
import type { Running } from './running.js';

const kinds = [
  { name: 'posix', configuration: { launcher: 'posix', isolation: ['filesystem/posix'] }, root: false },
  {
    name: 'linux',
    configuration: {
      launcher: 'linux',
      isolation: [
        'filesystem/linux',
        'namespaces/pid',
        'volume/host_path',
        'volume/sandbox_path',
        'volume/tmpfs',
      ],
    },
    root: true,
  },
];

/** An agent of a folder, started again as often as a test wants. */
class RealAgent {
  running!: Running;

  constructor(readonly folder: Folder) {}

  get socket(): string {
    return join(this.folder.directories[1]!, 'agent.sock');
  }

  async start(...args: string[]): Promise<void> {
    this.running = this.folder.start(['agent', ...args]);
    await this.running.says(/"msg":"serving"/);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM') {
    this.running.child.kill(signal);
    return this.running.ended;
  }

  cli(...args: string[]) {
    return this.folder.caisson(args);
  }

  async launch(id: string, script: string, ...flags: string[]): Promise<void> {
    const { stderr, stdout } = await this.cli('launch', '--name', id, ...flags, '--', 'sh', '-c', script);
    expect({ stderr, stdout }).toEqual({ stderr: '', stdout: `${id}\n` });
  }

  async pids(): Promise<Record<string, string>> {
    const { stdout } = await this.cli('ps', '--json');
    const entries: { container_id: { value: string }; container_status: { executor_pid: number } }[] =
      JSON.parse(stdout);
    return Object.fromEntries(
      entries.map((each) => [each.container_id.value, String(each.container_status.executor_pid)]),
    );
  }
}

describe.each(kinds)('caisson agent with the launcher $name', ({ name, configuration, root }) => {
  const folder = new Folder(configuration);
  const agent = new RealAgent(folder);
  const test = needs(it, { root });
  afterAll(() => folder.remove());
  // The first start makes the directories that all containers share.
  beforeAll(async () => {
    if (test === it) await agent.start().then(() => agent.stop());
  });

  describe('', () => {
    withCensus({ directories: folder.directories, reapOrphans: true });

    test('each command, as a user types it', async () => {
      await agent.start();
      expect(statSync(agent.socket).mode & 0o777).toBe(0o600);
      await agent.launch('web', 'echo hello; echo oops >&2; sleep 1000', '--label', 'team=storage');
      expect((await agent.cli('ps')).stdout).toMatch(/^ID +STATE +PID.*\nweb +running +\d+ +\d+s +-\n$/);
      expect(JSON.parse((await agent.cli('inspect', 'web')).stdout)).toMatchObject({
        state: 'RUNNING',
        launcher: name,
        config: { labels: { team: 'storage' } },
      });
      expect((await agent.cli('stats', '--once')).stdout).toMatch(/^ID +CPU.*\nweb /);
      expect((await agent.cli('logs', 'web')).stdout).toBe('hello\n');
      expect((await agent.cli('logs', '--stderr', 'web')).stdout).toBe('oops\n');
      expect(await agent.cli('update', 'web', '--resource', 'mem=64')).toMatchObject({
        status: 0,
        stderr: '',
      });
      expect(await agent.cli('rm', 'web')).toMatchObject({
        status: 125,
        stderr: 'caisson: container web has not ended yet (RUNNING)\n  destroy it first\n',
      });
      const waiting = agent.cli('wait', 'web');
      expect(await agent.cli('kill', 'web')).toMatchObject({ status: 0, stdout: '' });
      expect((await waiting).status).toBe(137);
      expect((await agent.cli('ps', '--all')).stdout).toContain('SIGKILL');
      expect(await agent.cli('rm', 'web')).toMatchObject({ status: 0 });
      expect(await agent.cli('wait', 'web')).toMatchObject({
        status: 125,
        stderr: 'caisson: there is no container web\n',
      });
      expect(await agent.stop()).toMatchObject({ status: 0 });
    });

    test('a persistent volume comes with an update, stays with the next, and goes with another', async () => {
      const stored = join(folder.directories[0]!, 'volumes');
      const update = async (...flags: string[]) =>
        expect(await agent.cli('update', 'web', ...flags)).toMatchObject({ status: 0, stderr: '' });
      const volumes = async () => JSON.parse((await agent.cli('inspect', 'web')).stdout).resources.volumes;
      const db = { disk: 64, persistence: { id: 'db' }, volume: { containerPath: 'data', mode: 'RW' } };
      await agent.start();
      await agent.launch('web', 'sleep 1000');
      await update('--persistent-volume', 'db:data:size=64MB');
      await update('--resource', 'mem=64');
      expect(await volumes()).toEqual([db]);
      await update('--no-persistent-volumes');
      expect(await volumes()).toBeUndefined();
      await agent.cli('rm', '--force', 'web');
      await agent.launch('again', 'ls -d data', '--persistent-volume', 'db:data:size=64MB');
      expect((await agent.cli('wait', 'again')).status).toBe(0);
      await agent.cli('rm', 'again');
      await agent.stop();
      rmSync(stored, { recursive: true });
    });

    test('a launch that fails says why, and leaves nothing', async () => {
      await agent.start();
      expect(await agent.cli('launch', '--name', 'a', '--', '/nonexistent')).toMatchObject({
        status: 127,
        stderr: expect.stringContaining('ENOENT'),
      });
      expect((await agent.cli('ps', '--all', '--json')).stdout).toBe('[]\n');
      await agent.stop();
    });

    test('events tells a life; logs -f ends with it; stop is gentle', async () => {
      await agent.start();
      const events = folder.start(['events']);
      await events.says(/SUBSCRIBED/);
      await agent.launch('a', 'trap "echo bye; exit 7" TERM; echo ready; while :; do sleep 0.05; done');
      const logs = folder.start(['logs', '-f', 'a']);
      await logs.says(/ready/);
      expect(await agent.cli('stop', 'a', '--grace', '20secs')).toMatchObject({ status: 0, stderr: '' });
      expect((await logs.ended).stdout).toBe('ready\nbye\n');
      await events.says(/CONTAINER_ENDED.*"exit_code":7/);
      await agent.cli('rm', 'a');
      await events.says(/CONTAINER_REMOVED/);
      await agent.stop();
      const states = [...events.stdout.matchAll(/"state":"(\w+)"/g)].map(([, state]) => state);
      expect(states).toEqual(['PREPARING', 'ISOLATING', 'RUNNING', 'DESTROYING', 'ENDED']);
      await events.ended;
    });

    test('SIGKILL of the agent: containers go on with their pids; ends and true statuses are known', async () => {
      await agent.start();
      await agent.launch('goes-on', 'while :; do sleep 0.05; done');
      await agent.launch('ended-before', 'exit 5');
      expect((await agent.cli('wait', 'ended-before')).status).toBe(5);
      await agent.launch('ends-meanwhile', 'while [ ! -e end ]; do sleep 0.02; done; exit 6');
      const sandbox = JSON.parse((await agent.cli('inspect', 'ends-meanwhile')).stdout).sandbox;
      const pids = await agent.pids();
      await agent.stop('SIGKILL');
      writeFileSync(join(sandbox, 'end'), '');
      await goneOrZombie(pids['ends-meanwhile']!);
      await agent.start();
      expect((await agent.pids())['goes-on']).toBe(pids['goes-on']);
      expect((await agent.cli('wait', 'ended-before')).status).toBe(5);
      const lost = name === 'posix'; // nobody but the agent could wait for it
      expect((await agent.cli('wait', 'ends-meanwhile')).status).toBe(lost ? 125 : 6);
      expect((await agent.cli('stop', 'goes-on', '--signal', 'KILL')).status).toBe(0);
      expect((await agent.cli('wait', 'goes-on')).status).toBe(lost ? 125 : 137);
      await agent.cli('rm', 'goes-on', 'ended-before', 'ends-meanwhile');
      await agent.stop();
    });

    (name === 'linux' ? test : it.skip)(
      'nested containers outlive the agent too, and end with their parent',
      async () => {
        await agent.start();
        await agent.launch('pod', 'exec sleep 1000');
        await agent.launch('pod.job', 'trap "exit 4" TERM; echo $$; while :; do sleep 0.02; done');
        await agent.launch(
          'pod.shares',
          'trap "" TERM; setsid sleep 1000 & exec sleep 1000',
          '--share-pid-namespace',
        );
        await agent.launch('pod.job.inner', 'exec sleep 1000', '--init');
        const before = (await agent.cli('ps')).stdout;
        await agent.stop('SIGKILL');
        await agent.start();
        const running = /^(\S+ +\S+ +\d+)/gm;
        expect((await agent.cli('ps')).stdout.match(running)?.sort()).toEqual(before.match(running)?.sort());
        expect((await agent.cli('logs', 'pod.job')).stdout).toBe('1\n');
        expect((await agent.cli('stop', 'pod.job', '--grace', '20secs')).status).toBe(0);
        expect((await agent.cli('wait', 'pod.job')).status).toBe(4);
        expect(JSON.parse((await agent.cli('wait', 'pod.job.inner', '--json')).stdout)).toMatchObject({
          // The kernel may be quicker to end it than the agent.
          cause: expect.stringMatching(/^(PARENT_ENDED|EXITED)$/),
          signal: 'SIGKILL',
        });
        expect((await agent.cli('kill', 'pod')).status).toBe(0);
        expect((await agent.cli('wait', 'pod.shares')).status).toBe(137);
        expect((await agent.cli('wait', 'pod')).status).toBe(137);
        expect((await agent.cli('rm', 'pod')).status).toBe(0);
        expect((await agent.cli('ps', '--all', '--json')).stdout).toBe('[]\n');
        await agent.stop();
      },
    );

    test('SIGHUP: a bad configuration is refused, and the old one goes on', async () => {
      await agent.start();
      folder.configure({ ...configuration, isolation: ['acme/nothing'] });
      agent.running.child.kill('SIGHUP');
      await agent.running.says(/the new configuration is refused/);
      await agent.launch('a', 'exit 0');
      folder.configure(configuration);
      agent.running.child.kill('SIGHUP');
      await agent.running.says(/a new configuration, for containers launched from now on/);
      await agent.launch('b', 'exit 0');
      await agent.cli('wait', 'a');
      await agent.cli('wait', 'b');
      await agent.cli('rm', 'a', 'b');
      await agent.stop();
    });

    test('a second agent is refused; the first one goes on', async () => {
      await agent.start();
      expect(await agent.cli('agent')).toMatchObject({
        status: 125,
        stderr: expect.stringContaining('an agent answers at'),
      });
      expect((await agent.cli('ps')).status).toBe(0);
      await agent.stop();
      expect((await agent.cli('ps')).stderr).toMatch(/^caisson: no agent answers at .*\n {2}start one with/);
    });

    needs(it, { root: true, programs: ['mount'] })(
      'files: another filesystem is not entered (A4)',
      async () => {
        await agent.start();
        await agent.launch('m', 'mkdir mounted');
        await agent.cli('wait', 'm');
        const { sandbox } = JSON.parse((await agent.cli('inspect', 'm')).stdout);
        const url = 'http://agent/files/read?offset=0&path=/containers/m/mounted/stdout';
        execFileSync('mount', ['--bind', sandbox, join(sandbox, 'mounted')]);
        try {
          const answer = execFileSync('curl', ['-s', '--unix-socket', agent.socket, url], {
            encoding: 'utf8',
          });
          expect(answer).toContain('another filesystem is mounted there');
        } finally {
          execFileSync('umount', [join(sandbox, 'mounted')]);
        }
        await agent.cli('rm', 'm');
        await agent.stop();
      },
    );

    test('docs/api.md: each example answers what the page says', async () => {
      await agent.start();
      for (const { command, answer } of examples(name)) {
        const output = execFileSync('sh', ['-c', command], {
          encoding: 'utf8',
          env: { ...process.env, SOCKET: agent.socket },
        });
        expect([command, output.trim()]).toEqual([command, expect.stringMatching(answer)]);
      }
      await agent.stop();
      // What a persistent volume holds stays until the operator deletes it.
      rmSync(join(folder.directories[0]!, 'volumes'), { recursive: true, force: true });
    });
  });
});

/**
 * Each ```sh block of the page with the block after it, in which `...` stands for anything; of a section that names a
 * launcher, for that one.
 */
function examples(launcher: string): { command: string; answer: RegExp }[] {
  const page = readFileSync(join(repository, 'docs/api.md'), 'utf8');
  const sections = page.split(/^(?=## )/m).filter((text) => {
    const [, named] = /^##.* launcher (\w+)$/m.exec(text) ?? [];
    return named === undefined || named === launcher;
  });
  const blocks = sections.flatMap((text) => [
    ...text.matchAll(/^```sh\n([\s\S]*?)^```\n\n```json\n([\s\S]*?)^```$/gm),
  ]);
  expect(blocks.length).toBeGreaterThan(launcher === 'linux' ? 12 : 8);
  return blocks.map(([, command = '', answer = '']) => ({ command, answer: patternOf(answer.trim()) }));
}

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .split('...')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[\\s\\S]*')}$`,
  );

/** Nobody may reap it here but the agent that is dead, or the test as subreaper. */
async function goneOrZombie(pid: string): Promise<void> {
  for (;;) {
    let stat = '';
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    } catch {
      return;
    }
    if (stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
