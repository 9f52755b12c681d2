/** `caisson exec` and `caisson attach`: a user, at a terminal and without, and containers of a real agent. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxRootfs, needs, SLOWNESS, withCensus } from '@caisson/linux/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RealAgent } from './agent/real-agent.js';
import { atTerminal, CONTROL_C, CONTROL_Z, type, typed } from './at-terminal.js';
import { caissonFile, Folder } from './caisson.js';
import { Running } from './running.js';

needs(describe, { root: true, busybox: true, programs: ['script', 'stty'] })('a running container', () => {
  const folder = new Folder({ isolation: ['filesystem/linux', 'namespaces/pid'] });
  const agent = new RealAgent(folder);
  const rootfs = busyboxRootfs(join(folder.path, 'box'));
  const cli = (...args: string[]) => folder.caisson(args);
  const command = (...args: string[]) => typed(process.execPath, caissonFile, ...args);

  afterAll(() => folder.remove());

  async function launch(id: string, argv: string[], ...flags: string[]): Promise<void> {
    const { stderr } = await cli('launch', '--name', id, '--rootfs', rootfs, ...flags, '--', ...argv);
    expect(stderr).toBe('');
  }

  const script = (text: string) => ['sh', '-c', text];
  const ECHO = script('while read line; do echo "got $line"; echo "and $line" >&2; done; exit 9');

  const removeAll = async (...ids: string[]) => expect((await cli('rm', '--force', ...ids)).stderr).toBe('');

  /** All that there are, also those that have ended; without what goes with another one. */
  async function known(except?: string): Promise<string[]> {
    const { stdout } = await cli('ps', '--all', '--json');
    const entries: { container_id: { value: string; parent?: { value: string } } }[] = JSON.parse(stdout);
    const ids = entries.map(({ container_id: { value, parent } }) =>
      parent ? `${parent.value}.${value}` : value,
    );
    return ids.filter((id) => id !== except && (!id.includes('.') || id.startsWith(`${except}.`)));
  }

  async function pidOf(id: string): Promise<number> {
    return JSON.parse((await cli('inspect', id)).stdout).pid;
  }

  const fileOf = (id: string, name: string) =>
    join(folder.directories[0]!, 'containers', id, 'sandbox', name);
  const output = (id: string, name = 'stdout') => readFileSync(fileOf(id, name), 'utf8');
  const sizeOf = (id: string, name = 'stdout') => statSync(fileOf(id, name)).size;

  /** How many containers run in it. */
  async function nested(id: string): Promise<string[]> {
    const entries: { container_id: { value: string; parent?: { value: string } }; state: string }[] =
      JSON.parse((await cli('ps', '--json')).stdout);
    return entries.flatMap(({ container_id: { value, parent } }) => (parent?.value === id ? value : []));
  }

  const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

  async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
    while (!(await isSo())) await turn();
  }

  describe('', () => {
    // The first start makes the directories that all containers share.
    beforeAll(async () => {
      await agent.start();
      await launch('web', ['sleep', '1000'], '--init', '--env', 'COLOUR=red', '--workdir', '/tmp');
      await launch('first', ['sleep', '1000'], '-i'); // what is opened at first use would look like a leak
      for (const id of ['first', 'web']) await cli('exec', '-t', id, 'true');
      await removeAll('first');
    });
    afterAll(async () => {
      await removeAll('web');
      await agent.stop();
    });
    withCensus({ directories: folder.directories, reapOrphans: true });

    describe('', () => {
      /** Of the agent. */
      const descriptors = () => readdirSync(`/proc/${agent.running.child.pid}/fd`).length;
      let before = 0;
      beforeEach(() => {
        before = descriptors();
      });
      afterEach(async () => {
        for (const child of Running.alive) if (child !== agent.running.child) child.kill('SIGKILL');
        const others = await known('web');
        if (others.length > 0) await removeAll(...others);
        while (descriptors() > before) await turn();
      }, 20_000 * SLOWNESS);

      describe('exec', () => {
        it('a command: its stdin, its output, apart, and its status; with the variables and in the directory of the container', async () => {
          const first = await folder.caisson(
            [
              'exec',
              'web',
              '--',
              ...script('cat; echo "$COLOUR $PWD" >&2; ps | grep -c "[s]leep 1000"; exit 3'),
            ],
            { input: 'from stdin\n' },
          );
          expect(first).toMatchObject({ stdout: 'from stdin\n1\n', stderr: 'red /tmp\n', status: 3 });
          const flags = ['--env', 'COLOUR=blue', '--workdir', '/', '--user', '1000:1000'];
          expect(await cli('exec', ...flags, 'web', ...script('echo "$COLOUR $PWD"; id -u'))).toMatchObject({
            stdout: 'blue /\n1000\n',
            status: 0,
          });
          expect(await nested('web')).toEqual([]);
        });

        it('hands on every byte, both ways', async () => {
          const data = randomBytes(3_000_000);
          const running = folder.start(['exec', 'web', '--', 'cat']);
          const hash = createHash('sha256');
          running.child.stdout!.removeAllListeners('data').setEncoding('latin1');
          running.child.stdout!.on('data', (text: string) => hash.update(text, 'latin1'));
          running.child.stdin!.end(data);
          expect((await running.ended).status).toBe(0);
          expect(hash.digest('hex')).toBe(createHash('sha256').update(data).digest('hex'));
        });

        it('the status is that of the command', async () => {
          const statuses = [
            ['exit 0', 0],
            ['exit 200', 200],
            ['kill -TERM $$', 143],
            ['exec >&- 2>&-; usleep 100000; exit 4', 4],
            ['head -c 1; exit 5', 5],
          ] as const;
          for (const [text, status] of statuses) {
            const { status: ended } = await folder.caisson(['exec', 'web', ...script(text)], {
              input: 'abc',
            });
            expect([text, ended]).toEqual([text, status]);
          }
        });

        it('says why where nothing was run', async () => {
          expect(await cli('exec', 'web', '/nowhere')).toMatchObject({
            status: 127,
            stderr: expect.stringContaining('ENOENT'),
          });
          expect(await cli('exec', 'web', '/tmp')).toMatchObject({ status: 126 });
          expect(await cli('exec', 'nobody', 'true')).toMatchObject({
            status: 125,
            stderr: 'caisson: there is no container nobody\n',
          });
          expect((await cli('exec', 'web')).status).toBe(125);
          expect(await nested('web')).toEqual([]);
        });

        it('a signal is for the command; SIGKILL of exec ends the command too', async () => {
          const trapped = folder.start([
            'exec',
            'web',
            ...script('trap "exit 7" TERM; echo ready; while :; do usleep 10000; done'),
          ]);
          await trapped.says(/ready/);
          trapped.child.kill('SIGTERM');
          expect((await trapped.ended).status).toBe(7);
          const killed = folder.start([
            'exec',
            'web',
            ...script('trap "" TERM HUP; echo ready; while :; do usleep 10000; done'),
          ]);
          await killed.says(/ready/);
          expect(await nested('web')).toHaveLength(1);
          killed.child.kill('SIGKILL');
          await until(async () => (await nested('web')).length === 0);
        });

        it('nobody who reads: it ends, as if by SIGPIPE', async () => {
          const shell = new Running(
            spawn('bash', ['-c', `${command('exec', 'web', 'yes')} | head -n 1; echo \${PIPESTATUS[0]}`], {
              cwd: folder.path,
              env: folder.environment,
            }),
          );
          expect((await shell.ended).stdout).toBe('y\n141\n');
          await until(async () => (await nested('web')).length === 0);
        });

        it('ends with its container', async () => {
          await launch('ends', ['sleep', '1000']);
          const running = folder.start(['exec', 'ends', ...script('echo ready; sleep 1000')]);
          await running.says(/ready/);
          await cli('kill', 'ends');
          expect((await running.ended).status).toBe(137);
        });
      });

      describe('exec -it', () => {
        const exec = (text: string, ...flags: string[]) =>
          command('exec', '-it', ...flags, 'web', ...script(text));

        it("is a terminal of the container's own, of the size and kind of the caller's", async () => {
          const user = atTerminal(folder, exec('tty; stty size; echo $TERM; ls /dev/pts; exit 3'));
          expect(await user.ended).toMatchObject({
            stdout: '/dev/pts/0\r\n33 101\r\nvt220\r\n0     ptmx\r\n',
            status: 3,
          });
        });

        it('hands keys on, and the size: ^C and ^Z are for the command', async () => {
          const interrupted = atTerminal(
            folder,
            exec("trap 'echo interrupted; exit 5' INT; echo ready; sleep 60 & wait"),
          );
          await interrupted.says(/ready/);
          type(interrupted, CONTROL_C);
          expect(await interrupted.ended).toMatchObject({
            stdout: expect.stringContaining('interrupted'),
            status: 5,
          });

          const shell = atTerminal(folder, exec('exec sh -i'));
          await shell.says(/# /);
          type(shell, `sh -c 'echo "star"ted; exec sleep 60'; echo went on\n`);
          await shell.says(/started/);
          type(shell, CONTROL_Z);
          await shell.says(/Stopped/);
          type(shell, 'kill %1; fg; exit 6\n');
          expect((await shell.ended).status).toBe(6);

          const resized = atTerminal(
            folder,
            `tty; ${exec("trap 'stty size' WINCH; echo ready; while :; do usleep 10000; done")}`,
          );
          const [terminal] = await resized.says(/\/dev\/pts\/\d+/);
          await resized.says(/ready/);
          // stty(1) sets one after the other.
          await new Running(spawn('stty', ['-F', terminal, 'rows', '40', 'cols', '90'])).ended;
          await resized.says(/40 90/);
          type(resized, CONTROL_C);
          expect((await resized.ended).status).toBe(130);
        });

        it('passes on everything that was written before the end', async () => {
          const { stdout } = await atTerminal(folder, exec('seq 1 20000')).ended;
          expect(stdout.split('\r\n').filter(Boolean)).toEqual(
            Array.from({ length: 20_000 }, (_, i) => String(i + 1)),
          );
        });

        it("leaves the caller's terminal as it was, whatever happens", async () => {
          const ways = [
            exec('exit 0'),
            command('exec', '-it', 'web', '/nowhere'),
            command('exec', '-it', 'nobody', 'true'),
            `${exec('kill -TERM $PPID; sleep 60')} & sleep 0.6; kill -TERM $!; wait`,
            `${exec('sleep 60')} & sleep 0.6; kill -HUP $!; wait`,
          ];
          for (const way of ways) {
            const same = 'test "$before" = "$(stty -g)" && echo same';
            const { stdout } = await atTerminal(folder, `before=$(stty -g); ${way}; ${same}`).ended;
            expect([way, stdout]).toEqual([way, expect.stringMatching(/same\r\n$/)]);
          }
        });

        it('whatever the container has put at its /dev/pts (F3: CVE-2025-52565)', async () => {
          const hostile =
            'mount -t tmpfs none /dev/pts && mkfifo /dev/pts/ptmx && echo ready; exec sleep 1000';
          await launch('hostile', script(hostile), '--privileged');
          await until(() => output('hostile') === 'ready\n');
          // Whoever opens what is there by its name waits for ever.
          const ptmx = `/proc/${await pidOf('hostile')}/root/dev/pts/ptmx`;
          expect(spawnSync('timeout', ['0.2', 'cat', ptmx]).status).toBe(124);
          const inside = script('test -t 0 && echo terminal; ls /dev/pts');
          expect(await cli('exec', '-t', 'hostile', ...inside)).toMatchObject({
            stdout: 'terminal\r\nptmx\r\n',
            status: 0,
          });
        });

        it('works without a terminal of the caller: the end of its input is ^D', async () => {
          for (const input of ['echo $((6 * 7))\n', 'echo $((6 * 7))'])
            expect(await folder.caisson(['exec', '-t', 'web', 'sh'], { input })).toMatchObject({
              stdout: expect.stringContaining('42\r\n'),
              status: 0,
            });
        });
      });

      describe('attach', () => {
        it('to pipes: any number look, one writes, who leaves ends nothing; the status is that of the container', async () => {
          await launch('echo', ECHO, '-i');
          const looks = folder.start(['attach', '--no-stdin', 'echo']);
          const writes = folder.start(['attach', 'echo']);
          type(writes, 'one\n');
          await writes.says(/got one/);
          await writes.says(/and one/);
          const second = folder.start(['attach', 'echo']);
          expect(await second.ended).toMatchObject({
            status: 125,
            stderr: expect.stringContaining('somebody else writes to container echo already'),
          });
          writes.child.kill('SIGINT');
          expect((await writes.ended).status).toBe(130);
          const last = folder.start(['attach', 'echo']);
          type(last, 'two\n');
          await last.says(/got two/);
          last.child.stdin!.end();
          expect(await last.ended).toMatchObject({ stdout: 'got two\n', stderr: 'and two\n', status: 9 });
          const seen = await looks.ended;
          expect(seen.status).toBe(9);
          expect(seen.stdout.endsWith('got two\n')).toBe(true);
          expect(output('echo')).toBe('got one\ngot two\n');
          expect(output('echo', 'stderr')).toBe('and one\nand two\n');
        });

        it('to a terminal: keys, size, and ^P^Q to leave it', async () => {
          await launch('shell', ['sh', '-i'], '-t', '--env', 'PS1=$ ');
          const pid = await pidOf('shell');
          const user = atTerminal(folder, `${command('attach', 'shell')}; echo left $?`);
          type(user, 'echo $((6 * 7)); stty size\n');
          await user.says(/42/);
          await user.says(/33 101/);
          type(user, '\x10\x11');
          expect((await user.ended).stdout).toMatch(/left 0\r\n$/);
          expect(await pidOf('shell')).toBe(pid);
          const again = atTerminal(folder, command('attach', 'shell'));
          type(again, 'exit 4\n');
          expect((await again.ended).status).toBe(4);
          expect(output('shell')).toContain('42\r\n');
        });

        it('a reader that stands still holds up neither the container for ever nor the agent', async () => {
          const bytes = 30_000_000;
          await launch('much', script(`read go; head -c ${bytes} /dev/zero; exit 3`), '-i');
          const stuck = folder.start(['attach', 'much']);
          type(stuck, '\n');
          await until(() => output('much').length > 0);
          stuck.child.kill('SIGSTOP');
          expect((await cli('wait', 'much')).status).toBe(3);
          expect(output('much')).toHaveLength(bytes);
          const [, kilobytes] = /VmHWM:\s+(\d+) kB/.exec(
            readFileSync(`/proc/${agent.running.child.pid}/status`, 'utf8'),
          )!;
          expect(Number(kilobytes)).toBeLessThan(250_000);
          stuck.child.kill('SIGCONT');
          stuck.child.kill('SIGTERM');
          await stuck.ended;
        });

        it('a terminal that nobody reads holds up only who types', async () => {
          await launch(
            'deaf',
            script('stty raw -echo; echo ready; usleep 700000; head -c 300000 | wc -c'),
            '-t',
          );
          await until(() => output('deaf').includes('ready'));
          const types = folder.start(['attach', 'deaf']);
          types.child.stdin!.write('x'.repeat(300_000));
          // Meanwhile others are served.
          expect((await cli('ps')).stdout).toMatch(/deaf +running/);
          await until(() => output('deaf').includes('300000'));
          expect((await types.ended).status).toBe(0);
        });

        it('is for containers that have something to attach to', async () => {
          expect(await cli('attach', 'web')).toMatchObject({
            status: 125,
            stderr: expect.stringContaining('neither a terminal nor pipes'),
          });
          expect((await cli('attach', 'nobody')).stderr).toBe('caisson: there is no container nobody\n');
          expect((await cli('attach', '--detach-keys', 'ctrl', 'web')).stderr).toContain(
            '--detach-keys "ctrl"',
          );
        });
      });
    });
  });

  describe('after a SIGKILL of the agent', () => {
    withCensus({ directories: folder.directories, reapOrphans: true });

    describe('', () => {
      beforeEach(() => agent.start());
      afterEach(async () => {
        for (const child of Running.alive) if (child !== agent.running.child) child.kill('SIGKILL');
        await removeAll(...(await known()));
        await agent.stop();
      }, 20_000 * SLOWNESS);

      it('outlives a SIGKILL of the agent: the next one is attached to in the same way', async () => {
        await launch('echo', ECHO, '-i');
        await launch('shell', ['sh', '-i'], '-t', '--env', 'PS1=$ ');
        await launch('web', ['sleep', '1000']);
        const pids = [await pidOf('echo'), await pidOf('shell')];
        const before = folder.start(['attach', 'echo']);
        type(before, 'one\n');
        await before.says(/got one/);
        const session = folder.start(['exec', 'web', ...script('echo ready; sleep 1000')]);
        await session.says(/ready/);
        await agent.stop('SIGKILL');
        expect((await session.ended).status).toBe(125);
        await agent.start();
        before.child.kill('SIGKILL');
        await before.ended;
        expect([await pidOf('echo'), await pidOf('shell')]).toEqual(pids);
        // A DEBUG container is its client's, who cannot come back.
        await until(async () => (await nested('web')).length === 0);
        const after = folder.start(['attach', 'echo']);
        type(after, 'two\n');
        await after.says(/got two/);
        const user = atTerminal(folder, command('attach', 'shell'));
        type(user, 'echo $((6 * 7)); exit 4\n');
        expect(await user.ended).toMatchObject({ stdout: expect.stringContaining('42'), status: 4 });
        after.child.stdin!.end();
        expect((await after.ended).status).toBe(9);
        expect(output('echo')).toBe('got one\ngot two\n');
      });

      describe('who is attached', () => {
        /** Counts, in an own process, and says what it reads. */
        const COUNTS = script(
          '(i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; usleep 1000; done) & ' +
            'while read line; do echo "<$line>" >&2; done; wait; exit 9',
        );

        it('goes on with the next agent, and the one after it: nothing is missing, nothing comes twice', async () => {
          await launch('counts', COUNTS, '-i');
          const attached = folder.start(['attach', 'counts']);
          await attached.says(/^\d+\n/);
          for (const word of ['one', 'two']) {
            await agent.stop('SIGKILL');
            await attached.says(/broke off/);
            await agent.start();
            await attached.says(/attached again after/);
            type(attached, `${word}\n`);
            await attached.says(new RegExp(`<${word}>`));
          }
          attached.child.stdin!.end();
          const { stdout, stderr, status } = await attached.ended;
          expect(status).toBe(9);
          const all = Array.from({ length: 2000 }, (_, i) => `${i + 1}\n`).join('');
          expect(output('counts')).toBe(all);
          expect(all.endsWith(stdout)).toBe(true);
          expect(stdout.split('\n').length).toBeGreaterThan(1000);
          expect(stderr.match(/<\w+>/g)).toEqual(['<one>', '<two>']);
        }, 30_000);

        it('at a terminal: the keys that leave do so meanwhile too, and it is as it was', async () => {
          await launch('shell', ['sh', '-i'], '-t', '--env', 'PS1=$ ');
          const same = 'test "$before" = "$(stty -g)" && echo same';
          const user = atTerminal(
            folder,
            `before=$(stty -g); ${command('attach', 'shell')}; echo left $?; ${command('attach', 'shell')}; echo ended $?; ${same}`,
          );
          type(user, 'echo $((6 * 7))\n');
          await user.says(/42/);
          await agent.stop('SIGKILL');
          await user.says(/ctrl-p,ctrl-q leaves/);
          type(user, 'lost\x10\x11');
          await user.says(/left 0/);
          await user.says(/no agent answers|ended 125/);
          await agent.start();
          const again = atTerminal(folder, command('attach', 'shell'));
          type(again, 'echo $((7 * 7))\n');
          await again.says(/49/);
          await agent.stop(); // an ordinary end is no other
          await again.says(/broke off|no agent answers/);
          await agent.start();
          await again.says(/attached again/);
          type(again, 'stty size; exit 4\n');
          expect(await again.ended).toMatchObject({
            stdout: expect.stringMatching(/attached again[\s\S]*33 101/),
            status: 4,
          });
          expect((await user.ended).stdout).toMatch(/same\r\n$/);
        }, 30_000);

        it('is given the rest, and told how it ended, if that was while there was no agent', async () => {
          const text = 'read x; echo begins; usleep 200000; head -c 300000 /dev/zero; usleep 200000; exit 6';
          await launch('ends', script(text), '-i');
          const attached = folder.start(['attach', 'ends']);
          type(attached, '\n');
          await attached.says(/begins/);
          attached.child.kill('SIGSTOP');
          // More than lies in the socket: the rest of it is in the file alone.
          await until(() => output('ends').length === 300_007);
          const pid = await pidOf('ends');
          await agent.stop('SIGKILL');
          await until(() => !existsSync(`/proc/${pid}`));
          await agent.start();
          attached.child.kill('SIGCONT');
          const { status, stdout, stderr } = await attached.ended;
          expect(status).toBe(6);
          expect(stdout).toHaveLength(300_007);
          expect(stderr).toContain('the container has ended meanwhile');
        });

        it('does not go on where nobody knows what became of his input', async () => {
          await launch('deaf', script('read x; head -c 1000000 >/dev/null; echo read; sleep 1000'), '-i');
          const attached = folder.start(['attach', 'deaf']);
          const stdin = attached.child.stdin!.on('error', () => {});
          type(attached, '\n');
          for (let n = 0; n < 100; n += 1) stdin.write(Buffer.alloc(80_000, 'x'));
          await attached.says(/read/);
          // All the way to the container is full.
          let before: number;
          do {
            before = stdin.writableLength;
            await turn();
          } while (stdin.writableLength !== before);
          await agent.stop('SIGKILL');
          expect(await attached.ended).toMatchObject({
            status: 125,
            stderr: expect.stringMatching(/broke off while \d+ bytes of input were on their way/),
          });
          await agent.start();
        });

        it('waits for as long as he has said', async () => {
          await launch('counts', COUNTS, '-i');
          for (const [time, said] of [
            ['0secs', 'broke off'],
            ['300ms', 'no agent took it up again within 300ms'],
          ] as const) {
            const attached = folder.start(['attach', '--no-stdin', '--reattach-within', time, 'counts']);
            await attached.says(/\d\n/);
            await agent.stop('SIGKILL');
            const { status, stderr } = await attached.ended;
            expect([status, stderr]).toEqual([125, expect.stringContaining(said)]);
            await agent.start();
          }
        });
      });

      it('what is in a pipe is in the file or still in the pipe, whenever the agent is killed: nothing is missing, nothing comes twice', async () => {
        const count = 'i=0; while :; do i=$((i+1)); echo $i; done';
        await launch(
          'counts',
          script(`(${count}) & a=$!; (${count}) >&2 & b=$!; read x; kill $a $b; wait; exit 3`),
          '-i',
        );
        for (let kill = 0; kill < 8; kill += 1) {
          const before = sizeOf('counts');
          await until(() => sizeOf('counts') > before);
          await agent.stop('SIGKILL');
          await agent.start();
        }
        const attached = folder.start(['attach', 'counts']);
        type(attached, '\n');
        expect((await attached.ended).status).toBe(3);
        for (const name of ['stdout', 'stderr']) {
          const lines = output('counts', name).trimEnd().split('\n');
          expect(lines.length).toBeGreaterThan(1000);
          expect(lines.findIndex((line, at) => line !== `${at + 1}`)).toBe(-1);
        }
      });

      it("the caller's terminal is as it was", async () => {
        await launch('web', ['sleep', '1000']);
        const same = 'test "$before" = "$(stty -g)" && echo same';
        const cut = atTerminal(
          folder,
          `before=$(stty -g); ${command('exec', '-it', 'web', ...script('echo ready; sleep 60'))}; echo $?; ${same}`,
        );
        await cut.says(/ready/);
        await agent.stop('SIGKILL');
        const { stdout } = await cut.ended;
        expect(stdout).toMatch(/broke off[\s\S]*125\r\nsame\r\n$/);
        await agent.start();
      });
    });
  });
});
