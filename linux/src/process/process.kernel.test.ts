import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { libc } from '../libc.js';
import { bootId } from '../proc/boot-id.js';
import { readStat } from '../proc/process-stat.js';
import { fcntl, pipe } from '../syscalls/files.js';
import { P_PID, pidfdOpen, pidfdSendSignal, WAIT, waitid } from '../syscalls/processes.js';
import { asRoot, inNamespaces, withCensus } from '../testing/index.js';
import {
  decodeWaitStatus,
  type FileAction,
  identify,
  identityOf,
  openByIdentity,
  posixSpawn,
  Reaper,
  reapChild,
  signalName,
  signalNumber,
} from './index.js';

withCensus();

const rootTest = asRoot(test);
const F_SETFD = 2;

/** posix_spawn without any of our attributes: the guard switched off. */
const rawSpawn = libc('posix_spawn', 'int', [
  'void*',
  'const char*',
  'void*',
  'void*',
  'const char**',
  'const char**',
]);
function unguarded(argv: readonly string[]): number {
  const pid = Buffer.alloc(4);
  expect(rawSpawn(pid, argv[0], null, null, [...argv, null], ['PATH=/bin', null])).toBe(0);
  return pid.readInt32LE(0);
}
const guarded = (argv: readonly string[]): number =>
  posixSpawn({ path: argv[0] as string, argv, environment: ['PATH=/bin'], fileActions: [{ closeFrom: 3 }] });

/** Node keeps its own 0, 1 and 2 from children that it does not start itself: they are handed over by name. */
const stdio = (output: number): FileAction[] => [{ dup2: [0, 0] }, { dup2: [output, 1] }, { dup2: [2, 2] }];

function end(pid: number): void {
  process.kill(pid, 'SIGKILL');
  waitid(P_PID, pid, WAIT.WEXITED);
}

/** The signals of a mask in /proc/<pid>/status. */
function signals(pid: number, mask: 'SigIgn' | 'SigBlk'): bigint {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return BigInt(`0x${new RegExp(`^${mask}:\\s+(\\w+)$`, 'm').exec(status)?.[1]}`);
}
const bit = (name: 'SIGPIPE' | 'SIGXFSZ'): bigint => 1n << BigInt(constants.signals[name] - 1);

const SLEEP = ['/bin/sleep', '1000'];

describe('a spawned process', () => {
  test('N2: has every signal at its default, where it would ignore those that Node ignores', () => {
    const [with_, without] = [guarded(SLEEP), unguarded(SLEEP)];
    expect(signals(without, 'SigIgn') & bit('SIGPIPE')).not.toBe(0n);
    expect(signals(with_, 'SigIgn')).toBe(0n);
    expect(signals(with_, 'SigBlk')).toBe(0n);
    [with_, without].forEach(end);
  });

  test('N1: has a session and a process group of its own, where it would be in ours', () => {
    const [with_, without] = [guarded(SLEEP), unguarded(SLEEP)];
    expect(readStat(without)?.session).toBe(readStat(process.pid)?.session);
    expect(readStat(with_)).toMatchObject({ session: with_, processGroup: with_ });
    [with_, without].forEach(end);
  });

  test('N3: has no descriptor but those that it was given, where one that stays open leads into the host', () => {
    const open = openSync('/', 'r');
    fcntl(open, F_SETFD, 0); // not closed at exec, as some library may have opened it
    const output = (closing: boolean): string => {
      const { readEnd, writeEnd } = pipe();
      const pid = posixSpawn({
        path: '/bin/sh',
        argv: ['sh', '-c', `cd /proc/self/fd/${open} 2>/dev/null && echo escaped; ls /proc/self/fd`],
        environment: ['PATH=/bin:/usr/bin'],
        fileActions: [...stdio(writeEnd), ...(closing ? [{ closeFrom: 3 }] : [])],
      });
      closeSync(writeEnd);
      waitid(P_PID, pid, WAIT.WEXITED);
      const buffer = Buffer.alloc(4096);
      const text = buffer.toString('utf8', 0, readSync(readEnd, buffer));
      closeSync(readEnd);
      return text;
    };
    expect(output(false)).toContain('escaped\n');
    expect(output(true)).toBe('0\n1\n2\n3\n'); // 3 is the listing's own
    closeSync(open);
  });

  test('N13: has the environment that it was given and nothing else', () => {
    const pid = guarded(SLEEP);
    // posix_spawn returns while execve is under way: the memory may be that of this process still, and then is not filled yet. The
    // name is set in between.
    const environment = () => readFileSync(`/proc/${pid}/environ`, 'utf8');
    while (readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'sleep\n' || environment() === '')
      expect(readStat(pid)).toBeDefined();
    expect(environment()).toBe('PATH=/bin\0');
    end(pid);
  });

  test('fails as execve says of its file', () => {
    const spawnOf = (path: string) => () => posixSpawn({ path, argv: ['x'], fileActions: [] });
    expect(spawnOf('/no/such/file')).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'posix_spawn' }),
    );
    expect(spawnOf('/etc/passwd')).toThrow(expect.objectContaining({ code: 'EACCES' }));
    expect(spawnOf('/')).toThrow(expect.objectContaining({ code: 'EACCES' }));
  });

  test('is reaped once, and never waited for', () => {
    const pid = guarded(SLEEP);
    expect(reapChild(pid)).toBe(false);
    process.kill(pid, 'SIGKILL');
    waitid(P_PID, pid, WAIT.WEXITED | WAIT.WNOWAIT);
    expect(reapChild(pid)).toBe(true);
    expect(reapChild(pid)).toBe(true);
  });
});

describe('the reaper', () => {
  let reaper: Reaper;
  beforeEach(() => {
    reaper = new Reaper();
  });
  afterEach(() => reaper.close());

  const readable = (fd: number) => new Promise<void>((resolve) => reaper.watch(fd, resolve));

  test('tells the end of a process, and of many at once', async () => {
    const pids = Array.from({ length: 100 }, () => guarded(SLEEP));
    const pidfds = pids.map(pidfdOpen);
    const ends = pidfds.map(readable);
    for (const pidfd of pidfds) pidfdSendSignal(pidfd, 9);
    await Promise.all(ends);
    for (const pid of pids) expect(reapChild(pid)).toBe(true);
    pidfds.forEach((fd) => closeSync(fd));
  });

  test('tells of data and of the end of a pipe, once each', async () => {
    const { readEnd, writeEnd } = pipe();
    let count = 0;
    reaper.watch(readEnd, () => {
      count += 1;
    });
    writeSync(writeEnd, 'x');
    while (count === 0) await new Promise(setImmediate);
    writeSync(writeEnd, 'y');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(count).toBe(1);
    readSync(readEnd, Buffer.alloc(8));
    const ended = readable(readEnd);
    closeSync(writeEnd);
    await ended;
    closeSync(readEnd);
  });

  test('tells nothing of what is not watched any more', async () => {
    const { readEnd, writeEnd } = pipe();
    reaper.watch(readEnd, () => {
      throw new Error('called');
    });
    reaper.unwatch(readEnd);
    reaper.unwatch(readEnd);
    writeSync(writeEnd, 'x');
    await new Promise((resolve) => setTimeout(resolve, 5));
    [readEnd, writeEnd].forEach((fd) => closeSync(fd));
  });

  test('that is closed while something is ready tells nothing', async () => {
    const { readEnd, writeEnd } = pipe();
    reaper.watch(readEnd, () => {
      throw new Error('called');
    });
    closeSync(writeEnd);
    reaper.close();
    reaper.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    closeSync(readEnd);
  });

  test('keeps the program running while it watches, and only then', () => {
    const module = new URL('./index.js', import.meta.url).href;
    const syscalls = new URL('../syscalls/index.js', import.meta.url).href;
    const program = `
      const { Reaper, posixSpawn, reapChild } = await import(${JSON.stringify(module)});
      const { pidfdOpen } = await import(${JSON.stringify(syscalls)});
      const reaper = new Reaper();
      const pid = posixSpawn({ path: '/bin/sleep', argv: ['sleep', '0.1'], fileActions: [] });
      reaper.watch(pidfdOpen(pid), () => console.log(reapChild(pid)));`;
    const cwd = fileURLToPath(new URL('.', import.meta.url));
    const options = { cwd, encoding: 'utf8', timeout: 10_000 } as const;
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], options);
    expect([stdout, status]).toEqual(['true\n', 0]);
  });
});

describe('N12: a process is known again', () => {
  test('by its identity, as JSON, until it has ended', () => {
    const pid = guarded(SLEEP);
    const pidfd = pidfdOpen(pid);
    const identity = JSON.parse(JSON.stringify(identityOf(pid, pidfd)));
    expect(identity.bootId).toBe(bootId());
    expect(identify(pid)).toEqual(identity);
    const again = openByIdentity(identity);
    expect(again).toBeDefined();
    expect(openByIdentity({ ...identity, bootId: 'another boot' })).toBeUndefined();
    expect(openByIdentity({ ...identity, pidfsHandle: '1:0000', startTime: 1 })).toBeUndefined();
    end(pid);
    expect(openByIdentity(identity)).toBeUndefined();
    expect(identify(pid)).toBeUndefined();
    [pidfd, again as number].forEach((fd) => closeSync(fd));
  });

  rootTest('and not mistaken for one that has its pid now', () => {
    const answers = inNamespaces(
      ['--pid', '--fork', '--mount-proc'],
      async ({ syscalls: s, processes: p, fs }) => {
        const sleep = () => p.posixSpawn({ path: '/bin/sleep', argv: ['sleep', '1000'], fileActions: [] });
        const first = sleep();
        const handled = p.identityOf(first, s.pidfdOpen(first));
        const startTime = Number(fs.readFileSync(`/proc/${first}/stat`, 'latin1').split(' ')[21]);
        const timed = { pid: first, bootId: handled.bootId, startTime };
        process.kill(first, 'SIGKILL');
        s.waitid(s.P_PID, first, s.WAIT.WEXITED);
        await new Promise((resolve) => setTimeout(resolve, 30)); // another clock tick: 10 ms
        fs.writeFileSync('/proc/sys/kernel/ns_last_pid', String(first - 1));
        const second = sleep();
        return {
          samePid: second === first,
          byPid: s.pidfdSendSignal(s.pidfdOpen(first), 0), // guard off: it would be signalled
          byHandle: p.openByIdentity(handled) ?? 'nobody',
          byStartTime: p.openByIdentity(timed) ?? 'nobody',
        };
      },
      null,
    );
    expect(answers).toEqual({ samePid: true, byPid: true, byHandle: 'nobody', byStartTime: 'nobody' });
  });
});

describe('the raw status of wait(2)', () => {
  test('is decoded as the shell sees it', () => {
    for (const code of [0, 1, 7, 255]) expect(decodeWaitStatus(code << 8)).toEqual({ exitCode: code });
    expect(decodeWaitStatus(9)).toEqual({ signal: 'SIGKILL', coreDumped: false });
    expect(decodeWaitStatus(6 | 0x80)).toEqual({ signal: 'SIGABRT', coreDumped: true });
    expect(decodeWaitStatus(34)).toEqual({ signal: 'SIGRTMIN+0', coreDumped: false });
  });

  test('is one or the other', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), (status) => {
        const { exitCode, signal } = decodeWaitStatus(status);
        expect((exitCode === undefined) !== (signal === undefined)).toBe(true);
      }),
    );
  });

  test('names signals, and reads their names', () => {
    for (let signal = 1; signal <= 31; signal++) expect(signalNumber(signalName(signal))).toBe(signal);
    expect(['TERM', 'term', 'SIGTERM', '15'].map(signalNumber)).toEqual([15, 15, 15, 15]);
    expect(['', 'NONE', '0', '65', '-1', '1.5'].map(signalNumber)).toEqual(Array(6).fill(undefined));
  });
});
