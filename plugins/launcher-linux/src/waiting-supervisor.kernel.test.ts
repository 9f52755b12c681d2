import { closeSync, existsSync, readdirSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { describe, expect } from '@jest/globals';
import { forkContainer } from './fork.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';
import type { PlanEdit } from './testing/standard-plan.js';
import { WaitingSupervisor } from './waiting-supervisor.js';

const kit = useLaunchKit({ reapOrphans: true });

/** Launches through a supervisor that waits already; tells whether it was taken. */
async function launch(command: string, edit?: PlanEdit, waiting = WaitingSupervisor.start(kit.directory)) {
  const container = kit.container();
  const context = { ...kit.context(), waiting: () => waiting };
  const process = await forkContainer(container, kit.plan(command, edit), context);
  const launched = kit.track(process, container);
  return { launched, taken: process.state.supervisor.pid === waiting.pid };
}

describe('a supervisor that waited for its launch', () => {
  kernelTest('runs it as a spawned one would', async () => {
    const { launched, taken } = await launch('echo $$; ls -l /proc/self/fd | grep -c -- "->"; exit 7');
    expect(taken).toBe(true);
    await launched.release();
    // 0, 1 and 2; what ls itself reads is closed when it looks (threat model N3).
    expect(await launched.end()).toMatchObject({ exitCode: 7, stdout: '1\n3\n' });
  });

  kernelTest('holds the status file alone while its container runs (A6)', async () => {
    const { launched } = await launch('echo up; sleep 1000');
    await launched.release();
    await launched.output(/up/);
    const { pid } = launched.process.state.supervisor;
    expect(readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))).toEqual([
      `${launched.container.runtimeDirectory}/status`,
    ]);
  });

  kernelTest('stands behind a sealed image, whatever it walks (N8)', async () => {
    const { launched } = await launch('sleep 1000');
    expect(readlinkSync(`/proc/${launched.process.pid}/exe`)).toMatch(/^\/memfd:/);
  });

  kernelTest('says what failed, by the step', async () => {
    const { launched } = await launch('true', { workingDirectory: '/nowhere' });
    await expect(launched.release()).rejects.toMatchObject({
      message: expect.stringContaining('step enter-working-directory: chdir(path="/nowhere"): ENOENT'),
    });
  });

  kernelTest('has a terminal for its container', async () => {
    const { launched } = await launch('tty; stty size', {
      stdio: 'terminal',
      windowSize: { rows: 11, columns: 22 },
    });
    await launched.release();
    expect(await launched.end()).toMatchObject({ exitCode: 0 });
  });

  kernelTest('holds the pipes of its container', async () => {
    const { launched, taken } = await launch('read a; echo "$a"', { stdio: 'pipes' });
    await launched.release();
    expect(taken).toBe(true);
    const { stdin, stdout, stderr } = launched.process.pipes!.take();
    writeSync(stdin!, 'hello\n');
    await launched.end();
    const buffer = Buffer.alloc(100);
    expect(buffer.toString('utf8', 0, readSync(stdout, buffer))).toBe('hello\n');
    for (const fd of [stdin!, stdout, stderr]) closeSync(fd);
  });

  kernelTest('is given up where it died meanwhile, and the launch starts its own', async () => {
    const waiting = WaitingSupervisor.start(kit.directory);
    process.kill(waiting.pid, 'SIGKILL');
    const { launched, taken } = await launch('exit 3', {}, waiting);
    await launched.release();
    expect(taken).toBe(false);
    expect(await launched.end()).toMatchObject({ exitCode: 3 });
  });

  kernelTest('is given up where the arguments are too large for it', async () => {
    const { launched, taken } = await launch('exit 4', {
      environment: { LONG: 'x'.repeat(100_000), LONGER: 'y'.repeat(110_000) },
    });
    await launched.release();
    expect(taken).toBe(false);
    expect(await launched.end()).toMatchObject({ exitCode: 4 });
  });

  kernelTest('leaves nothing when nobody needs it', async () => {
    const waiting = WaitingSupervisor.start(kit.directory);
    waiting.end();
    expect(existsSync(`/proc/${waiting.pid}`)).toBe(false);
  });
});
