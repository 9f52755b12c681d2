/** `caisson run -t`: a user at a terminal, which script(1) plays here. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { busyboxRootfs, needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CONTROL_C, CONTROL_Z, type, typed, atTerminal as userAt } from './at-terminal.js';
import { caissonFile, Folder } from './caisson.js';
import { Running } from './running.js';

needs(describe, { root: true, busybox: true, programs: ['script', 'stty'] })('caisson run -t', () => {
  const folder = new Folder({ isolation: ['filesystem/linux', 'namespaces/pid'] });
  const rootfs = busyboxRootfs(join(folder.path, 'box'));
  beforeAll(() => folder.caisson(['run', '--', 'true'])); // makes the directories that all containers share
  afterAll(() => folder.remove());

  describe('', () => {
    withCensus({ directories: folder.directories });

    /** The command that a user types to run this script of a container. */
    const inContainer = (script: string, ...flags: string[]): string =>
      typed(
        process.execPath,
        caissonFile,
        'run',
        '--quiet',
        '-t',
        '--rootfs',
        rootfs,
        ...flags,
        '--',
        'sh',
        '-c',
        script,
      );

    const atTerminal = (script: string) => userAt(folder, script);

    it("is a terminal of the container's own, of the size and kind of the caller's", async () => {
      const user = atTerminal(inContainer('tty; stty size; echo $TERM; exit 3'));
      expect(await user.ended).toMatchObject({ stdout: '/dev/pts/0\r\n33 101\r\nvt220\r\n', status: 3 });
    });

    it('hands keys on: ^C interrupts the command, not caisson', async () => {
      const user = atTerminal(
        inContainer("trap 'echo interrupted; exit 5' INT; echo ready; sleep 60 & wait"),
      );
      await user.says(/ready/);
      type(user, CONTROL_C);
      expect(await user.ended).toMatchObject({ stdout: expect.stringContaining('interrupted'), status: 5 });
    });

    it('has job control', async () => {
      const user = atTerminal(inContainer('exec sh -i'));
      await user.says(/# /);
      type(user, `sh -c 'echo "star"ted; exec sleep 60'; echo went on\n`);
      await user.says(/started/);
      type(user, CONTROL_Z);
      await user.says(/Stopped/);
      type(user, 'kill %1; fg; exit 6\n');
      expect((await user.ended).status).toBe(6);
    });

    it('tells the container of a new size', async () => {
      // stty sets one after the other: there are two signals, and the first may be told before the second is there.
      const tell = 'size=$(stty size); echo $size; test "$size" != "40 90" || exit';
      const wait = 'while :; do sleep 60 & wait; done';
      const user = atTerminal(`tty; ${inContainer(`trap '${tell}' WINCH; echo ready; ${wait}`)}`);
      const [terminal] = await user.says(/\/dev\/pts\/\d+/);
      await user.says(/ready/);
      await new Running(spawn('stty', ['-F', terminal, 'rows', '40', 'cols', '90'])).ended;
      expect((await user.ended).stdout).toContain('40 90');
    });

    it('passes on everything that was written before the end', async () => {
      const { stdout } = await atTerminal(inContainer('seq 1 20000')).ended;
      expect(stdout.split('\r\n').filter(Boolean)).toEqual(
        Array.from({ length: 20_000 }, (_, i) => String(i + 1)),
      );
    });

    it.each([
      ['an ordinary end', inContainer('exit 0')],
      ['a command that is not found', inContainer('true', '--executable', '/nowhere')],
      ['an end by a signal', `${inContainer('kill -TERM $PPID; sleep 60')} & sleep 0.5; kill -TERM $!; wait`],
    ])("leaves the caller's terminal as it was: %s", async (_how, command) => {
      const { stdout } = await atTerminal(
        `before=$(stty -g); ${command}; test "$before" = "$(stty -g)" && echo same`,
      ).ended;
      expect(stdout).toMatch(/same\r\n$/);
      expect(stdout).not.toContain('node:'); // a stack
    });

    it('works without a terminal of the caller: the end of its input is ^D', async () => {
      const args = ['run', '--quiet', '-t', '--rootfs', rootfs, '--', 'sh'];
      for (const input of ['echo $((6 * 7))\n', 'echo $((6 * 7))'])
        expect(await folder.caisson(args, { input })).toMatchObject({
          stdout: expect.stringContaining('42\r\n'),
          status: 0,
        });
    });
  });
});
