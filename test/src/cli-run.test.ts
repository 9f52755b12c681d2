/** `caisson run` from outside: what a user and a script see of it. */

import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asNobody, Folder } from './caisson.js';
import type { Running } from './running.js';

const alternatives = [
  { name: 'posix', configuration: { launcher: 'posix', isolation: ['filesystem/posix'] }, root: false },
  {
    name: 'linux',
    configuration: { launcher: 'linux', isolation: ['filesystem/linux', 'namespaces/pid'] },
    root: true,
  },
];

const sh = (script: string): string[] => ['--', 'sh', '-c', script];
const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1) ?? '');

describe.each(alternatives)('caisson run with the launcher $name', ({ name, configuration, root }) => {
  const folder = new Folder(configuration);
  afterAll(() => folder.remove());
  const test = needs(it, { root });
  const run = (...args: string[]) => folder.caisson(['run', '--quiet', ...args]);

  // The first start makes the directories that all containers share.
  beforeAll(() => run('--', 'true'));

  describe('', () => {
    withCensus({ directories: folder.directories, reapOrphans: true });

    describe('stdio and exit status', () => {
      test('hands stdin, stdout and stderr to the command', async () => {
        const script = 'cat; echo to stderr >&2';
        const ended = await folder.caisson(['run', '--quiet', ...sh(script)], { input: 'from stdin\n' });
        expect(ended).toEqual({ status: 0, signal: null, stdout: 'from stdin\n', stderr: 'to stderr\n' });
      });

      test('says on stderr which isolation was taken', async () => {
        const { stderr, stdout } = await folder.caisson(['run', '--', 'true']);
        expect(stderr).toBe(`caisson: launcher ${name}, isolation ${configuration.isolation.join(', ')}\n`);
        expect(stdout).toBe('');
      });

      test('starts with a small environment of its own, and what was asked for', async () => {
        const env = { ...process.env, EDITOR: 'ed', SECRET: 'x', NODE_OPTIONS: '--no-deprecation' };
        const args = ['run', '--quiet', '--env', 'EDITOR', '--env', 'A=b c', '--', 'env'];
        const { stdout } = await folder.caisson(args, { env });
        expect(stdout).toMatch(/^EDITOR=ed$/m);
        expect(stdout).toMatch(/^A=b c$/m);
        expect(stdout).not.toMatch(/SECRET|NODE_OPTIONS|HOME=/);
      });

      test.each([
        ['its own', 'exit 3', 3],
        ['128 + n for a signal', 'sleep 60 & kill -9 $!; wait $!', 137],
      ])('has the exit status of the command: %s', async (_what, script, status) => {
        expect((await run(...sh(script))).status).toBe(status);
      });

      test('127 for a command that is not found', async () => {
        const { status, stderr } = await run('--', 'no-such-command');
        expect({ status, stderr }).toEqual({
          status: 127,
          stderr: expect.stringMatching(/^caisson: .*no-such-command/m),
        });
      });

      test('126 for one that cannot be executed', async () => {
        const { status, stderr } = await run('--', '/etc/passwd');
        expect({ status, stderr }).toEqual({
          status: 126,
          stderr: expect.stringMatching(/^caisson: .*\/etc\/passwd/m),
        });
      });

      test('what follows the command is the command, --help and flags of Mesos too', async () => {
        const { stdout } = await run('echo', '--help', '--work_dir=/x', '--', '-t');
        expect(stdout).toBe('--help --work_dir=/x -- -t\n');
      });
    });

    describe('--json', () => {
      test('is the last line of stderr and the only one of Caisson, though the command left its own unfinished', async () => {
        const { status, stdout, stderr } = await folder.caisson([
          'run',
          '--json',
          ...sh('echo out; printf err >&2; exit 3'),
        ]);
        expect({ status, stdout }).toEqual({ status: 3, stdout: 'out\n' });
        expect(stderr).toMatch(/^err\n[^\n]*\n$/);
        expect(lastLine(stderr)).toMatchObject({
          exitStatus: 3,
          termination: { status: 3 << 8, exitCode: 3 },
        });
      });

      test('says why a container was not launched', async () => {
        const { status, stderr } = await folder.caisson(['run', '--json', '--', 'no-such-command']);
        expect(status).toBe(127);
        expect(lastLine(stderr)).toMatchObject({
          exitStatus: 127,
          error: { code: expect.any(String), message: expect.stringContaining('no-such-command') },
        });
      });
    });

    describe('--syscalls', () => {
      test('prints the system calls of the launch, and the command never runs', async () => {
        const { status, stdout, stderr } = await run('--syscalls', ...sh('echo ran > "$MESOS_SANDBOX/note"'));
        if (name === 'posix')
          expect({ status, stderr }).toEqual({
            status: 125,
            stderr: expect.stringContaining('has no system calls'),
          });
        else
          expect({ status, stdout }).toEqual({
            status: 0,
            stdout: expect.stringMatching(/pivot_root|execve\(path="\/bin\/sh"/),
          });
      });
    });

    describe('signals', () => {
      const running = (args: readonly string[]): Running => folder.start(['run', '--json', ...args]);

      test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)(
        '%s reaches a command that takes it',
        async (signal) => {
          const command = running(
            sh(`trap 'echo got it; exit 7' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`),
          );
          await command.says(/ready/);
          command.child.kill(signal);
          expect(await command.ended).toMatchObject({ status: 7, stdout: 'ready\ngot it\n' });
        },
      );

      test.each([
        ['SIGINT', 130],
        ['SIGTERM', 143],
        ['SIGUSR2', 140],
      ] as const)('%s ends a command that does not', async (signal, status) => {
        const cat = running(['--', 'cat']);
        cat.child.stdin?.write('hello\n');
        await cat.says(/hello/);
        cat.child.kill(signal);
        expect((await cat.ended).status).toBe(status);
      });

      test('one that the command ignores changes nothing', async () => {
        const command = running(
          sh(`trap '' INT; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done`),
        );
        await command.says(/ready/);
        command.child.kill('SIGINT');
        command.child.kill('SIGTERM');
        expect((await command.ended).status).toBe(7);
      });

      test('SIGKILL of caisson ends the container', async () => {
        const command = running(sh('echo ready; sleep 61'));
        await command.says(/ready/);
        command.child.kill('SIGKILL');
        expect((await command.ended).signal).toBe('SIGKILL');
        await folder.caisson(['run', '--quiet', '--', 'true']); // the next start collects the files
      });
    });

    describe('--keep', () => {
      test('keeps the sandbox and says where', async () => {
        const { stderr } = await run('--keep', ...sh('echo kept > "$MESOS_SANDBOX/note"'));
        const [, sandbox = ''] = /^caisson: kept (.*)\n$/.exec(stderr) ?? [];
        expect(readdirSync(sandbox)).toContain('note');
        rmSync(dirname(sandbox), { recursive: true });
      });
    });
  });
});

describe('caisson run with alternatives', () => {
  const folder = new Folder({
    alternatives: alternatives.toReversed().map(({ configuration }) => configuration),
  });
  afterAll(() => folder.remove());

  needs(it, asNobody.needs)('takes what an ordinary user can have, and says why not more', async () => {
    chmodSync(folder.path, 0o777); // Caisson's directories are made here
    const { stdout, stderr, status } = await folder.caisson(['run', ...sh('exit 3')], {
      prefix: asNobody.prefix,
    });
    expect({ stdout, status }).toEqual({ stdout: '', status: 3 });
    expect(stderr).toMatch(
      /^caisson: launcher posix, isolation filesystem\/posix \(not launcher linux, .*needs root.*\)\n$/,
    );
  });
});
