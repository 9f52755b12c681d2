import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { windowSize } from '@caisson/linux/syscalls';
import { describe, expect } from '@jest/globals';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';
import type { PlanEdit } from './testing/standard-plan.js';
import { type TerminalSession, useTerminalSessions } from './testing/terminal-session.js';

const sessionOf = useTerminalSessions();
const kit = useLaunchKit({ reapOrphans: true });
const user = { uid: 1000, gid: 1000, supplementaryGids: [] };

async function open(command: string | string[], edit: PlanEdit = {}): Promise<TerminalSession> {
  const launched = await kit.fork(kit.plan(command, { stdio: 'terminal', ...edit }));
  await launched.release();
  return sessionOf(launched);
}

describe('a terminal', () => {
  kernelTest('is the one on 0, 1 and 2, of a devpts of its own, and controls the session', async () => {
    const session = await open(
      'tty; for i in 0 1 2; do test -t $i && echo yes; done; echo through > /dev/tty; ls /dev/pts',
    );
    expect(await session.rest()).toBe('/dev/pts/0\r\nyes\r\nyes\r\nyes\r\nthrough\r\n0     ptmx\r\n');
    expect((await session.launched.end()).exitCode).toBe(0);
  });

  kernelTest('gives its reader EIO once nobody has it open, not before', async () => {
    const session = await open('echo bye; sleep 0.05; echo really');
    await session.launched.end();
    expect(await session.rest()).toBe('bye\r\nreally\r\n');
    expect(['EIO', 'EOF']).toContain(session.end);
  });

  kernelTest('has the size of the plan, and tells of a new one', async () => {
    const windowSize_ = { columns: 101, rows: 37 };
    const session = await open(
      'trap "stty size" WINCH; stty size; echo ready; while :; do sleep 0.01; done',
      {
        windowSize: windowSize_,
      },
    );
    expect(await session.shows(/ready/)).toContain('37 101');
    expect(windowSize(session.master)).toEqual(windowSize_);
    session.launched.process.terminal?.resize(80, 24);
    await session.shows(/24 80/);
  });

  kernelTest('sends ^C to the foreground, pid 1 too if it has a handler', async () => {
    const session = await open(
      'trap "echo interrupted; exit 3" INT; echo ready; while :; do sleep 0.01; done',
    );
    await session.shows(/ready/);
    session.type('\x03');
    await session.shows(/interrupted/);
    expect((await session.launched.end()).exitCode).toBe(3);
  });

  kernelTest('has job control: ^Z stops, fg goes on, ^C ends, the shell stays', async () => {
    const session = await open(['sh', '-i'], { environment: { PATH: '/bin', PS1: '$ ' } });
    await session.shows(/\$ /);
    expect(session.text).not.toMatch(/job control turned off|can't access tty/);
    session.type('sleep 1000\n');
    await session.shows(/sleep 1000\r\n/);
    await sleep(50); // the shell is about to make it the foreground; nothing tells when
    session.type('\x1a');
    await session.shows(/Stopped[^\n]*sleep 1000/);
    session.type('jobs\n');
    await session.shows(/Stopped[^\n]*sleep 1000/);
    session.type('fg\n');
    await session.shows(/fg\r\nsleep 1000\r\n/);
    await sleep(50);
    session.type('\x03');
    await session.shows(/\$ /);
    session.type('echo still $((1+1)); exit 6\n');
    await session.shows(/still 2/);
    expect((await session.launched.end()).exitCode).toBe(6);
  });

  kernelTest('gives ^D as end of file', async () => {
    const session = await open(['cat']);
    session.type('line\n\x04');
    expect((await session.launched.end()).exitCode).toBe(0);
    expect(await session.rest()).toBe('line\r\nline\r\n');
  });

  kernelTest('belongs to the user, who can open it by its name', async () => {
    const session = await open('echo again > /dev/pts/0; ls -ln /dev/pts/0; echo tty > /dev/tty', { user });
    const text = await session.rest();
    expect(text).toMatch(/^again\r\n/);
    expect(text).toMatch(/crw--w---- +1 1000 +5 /);
    expect(text).toMatch(/tty\r\n$/);
  });

  kernelTest('without a planned devpts there is one at /dev/pts all the same', async () => {
    const plan = kit.plan('tty; ls /dev/pts', { stdio: 'terminal' });
    plan.mounts = plan.mounts.filter(({ type }) => type !== 'devpts');
    const launched = await kit.fork(plan);
    await launched.release();
    expect(await sessionOf(launched).rest()).toBe('/dev/pts/0\r\n0     ptmx\r\n');
  });

  kernelTest(
    'is not on the host: a container opens its own terminals by number (F3: CVE-2025-52565)',
    async () => {
      const session = await open('echo ready; sleep 1000');
      await session.shows(/ready/);
      const device = statSync(`/proc/${session.launched.process.pid}/root/dev/pts/0`).dev;
      expect(device).not.toBe(statSync('/dev').dev);
      const mounts = (await open('cut -d " " -f 3,9- /proc/self/mountinfo | grep devpts')).rest();
      expect(await mounts).toMatch(/devpts/);
    },
  );
});
