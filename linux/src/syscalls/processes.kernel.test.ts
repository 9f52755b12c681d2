import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { identityOf } from '../process/identity.js';
import { posixSpawn } from '../process/spawn.js';
import { decodeWaitStatus } from '../process/wait-status.js';
import { asRoot, inNamespaces, needs, withCensus } from '../testing/index.js';
import {
  cpuAffinity,
  currentCpu,
  EPOLLIN,
  EPOLLPRI,
  epollAdd,
  epollCreate,
  epollDelete,
  epollWait,
  eventfd,
  exitStatusOf,
  fileHandle,
  P_PID,
  P_PIDFD,
  PR,
  pidfdGetfd,
  pidfdOpen,
  pidfdSendSignal,
  pipe,
  pollReadable,
  prctl,
  prlimit,
  RLIMITS,
  setCpuAffinity,
  WAIT,
  waitid,
} from './index.js';

withCensus({ reapOrphans: true });

const rootTest = asRoot(test);
const failing = (code: string) => expect.objectContaining({ name: 'SyscallError', code });
const NO_PID = 0x7ffffffe;
const sleeper = () => posixSpawn({ path: '/bin/sleep', argv: ['sleep', '1000'], fileActions: [] });
/** A descriptor is closed and a child reaped, whatever the test did with it. */
function withChild<T>(body: (pid: number, pidfd: number) => T): T {
  const pid = sleeper();
  const pidfd = pidfdOpen(pid);
  try {
    return body(pid, pidfd);
  } finally {
    pidfdSendSignal(pidfd, 9);
    try {
      waitid(P_PID, pid, WAIT.WEXITED);
    } catch {
      // reaped by the test
    }
    closeSync(pidfd);
  }
}

describe('a pidfd', () => {
  test('signals its process, and tells when there is none any more', () => {
    withChild((pid, pidfd) => {
      expect(pidfdSendSignal(pidfd, 0)).toBe(true);
      expect(pidfdSendSignal(pidfd, 9)).toBe(true);
      expect(waitid(P_PIDFD, pidfd, WAIT.WEXITED)).toEqual({ pid, code: 2, status: 9 });
      expect(pidfdSendSignal(pidfd, 9)).toBe(false);
      expect(() => pidfdOpen(pid)).toThrow(failing('ESRCH'));
    });
  });

  test('fails as the docstrings say', () => {
    expect(() => pidfdOpen(NO_PID)).toThrow(failing('ESRCH'));
    withChild((_pid, pidfd) => {
      expect(() => pidfdSendSignal(pidfd, 999)).toThrow(failing('EINVAL'));
      expect(() => pidfdGetfd(pidfd, 999)).toThrow(failing('EBADF'));
      pidfdSendSignal(pidfd, 9);
      waitid(P_PIDFD, pidfd, WAIT.WEXITED);
      expect(() => pidfdGetfd(pidfd, 0)).toThrow(failing('ESRCH'));
    });
  });

  rootTest('EPERM for the process of another user', () => {
    const codes = inNamespaces(
      [],
      ({ syscalls: s, processes, codeOf }) => {
        const { readEnd } = s.pipe(); // it ends with us: its standard input does
        const fileActions = [{ dup2: [readEnd, 0] as const }];
        const argv = ['sh', '-c', 'read -r _'];
        const pid = processes.posixSpawn({ path: '/bin/sh', argv, fileActions });
        const pidfd = s.pidfdOpen(pid);
        process.setuid?.(65534);
        const unlimited = { soft: 2n ** 40n, hard: 2n ** 40n };
        return [
          codeOf(() => s.pidfdSendSignal(pidfd, 9)),
          codeOf(() => s.pidfdGetfd(pidfd, 0)),
          codeOf(() => s.prlimit(pid, s.RLIMITS.NOFILE, unlimited)),
          codeOf(() => s.prlimit(0, s.RLIMITS.NOFILE, unlimited)),
        ];
      },
      null,
    );
    expect(codes).toEqual(['EPERM', 'EPERM', 'EPERM', 'EPERM']);
  });

  test('copies a descriptor out of its process, closed at exec', () => {
    const { readEnd, writeEnd } = pipe();
    const fileActions = [{ dup2: [writeEnd, 1] as const }, { closeFrom: 3 }];
    const pid = posixSpawn({ path: '/bin/sleep', argv: ['sleep', '1000'], fileActions });
    const pidfd = pidfdOpen(pid);
    const copy = pidfdGetfd(pidfd, 1);
    expect(readFileSync(`/proc/self/fdinfo/${copy}`, 'utf8')).toMatch(/flags:\s+02\d{6}$/m);
    writeSync(copy, 'x');
    expect(readSync(readEnd, Buffer.alloc(1))).toBe(1);
    pidfdSendSignal(pidfd, 9);
    waitid(P_PID, pid, WAIT.WEXITED);
    for (const fd of [readEnd, writeEnd, copy, pidfd]) closeSync(fd);
  });

  needs(test, { kernel: [6, 15] })(
    'N12: tells the exit status of a process that is not our child',
    async () => {
      const child = spawn('sh', ['-c', 'sh -c "read -r _; exit 7" <&3 & echo $!; wait'], {
        stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
      });
      const [text] = await once(child.stdout as NodeJS.ReadableStream, 'data');
      const pidfd = pidfdOpen(Number(text));
      expect(exitStatusOf(pidfd)).toBeUndefined();
      (child.stdio[3] as NodeJS.WritableStream).end('\n');
      await once(child, 'close');
      expect(decodeWaitStatus(exitStatusOf(pidfd) as number)).toEqual({ exitCode: 7 });
      expect(() => waitid(P_PIDFD, pidfd, WAIT.WEXITED)).toThrow(failing('ECHILD'));
      closeSync(pidfd);
    },
  );

  needs(test, { kernel: [6, 14] })(
    'N12: has a handle of its own for each process, the same each time',
    () => {
      withChild((_one, pidfd) =>
        withChild((pid, other) => {
          expect(fileHandle(pidfd)).toBe(fileHandle(pidfd));
          expect(fileHandle(pidfd)).not.toBe(fileHandle(other));
          expect(identityOf(pid, other).pidfsHandle).toBe(fileHandle(other));
        }),
      );
    },
  );
});

describe('waitid', () => {
  test('tells how a child ended', () => {
    const ended = (script: string) => {
      const pid = posixSpawn({ path: '/bin/sh', argv: ['sh', '-c', script], fileActions: [] });
      const end = waitid(P_PID, pid, WAIT.WEXITED);
      expect(end?.pid).toBe(pid);
      return [end?.code, end?.status];
    };
    expect(ended('exit 3')).toEqual([1, 3]);
    expect(ended('kill -TERM $$')).toEqual([2, 15]);
  });

  test('gives nothing of one that runs, and ECHILD of none', () => {
    withChild((pid) => expect(waitid(P_PID, pid, WAIT.WEXITED | WAIT.WNOHANG)).toBeUndefined());
    expect(() => waitid(P_PID, NO_PID, WAIT.WEXITED)).toThrow(failing('ECHILD'));
  });
});

describe('a limit', () => {
  test('is read and set, and the former one is told', () => {
    withChild((pid) => {
      const before = prlimit(pid, RLIMITS.NOFILE);
      expect(prlimit(pid, RLIMITS.NOFILE, { soft: 10n, hard: before.hard })).toEqual(before);
      expect(prlimit(pid, RLIMITS.NOFILE)).toEqual({ soft: 10n, hard: before.hard });
      expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max open files +10 /m);
    });
  });

  test('fails as the docstring says', () => {
    expect(() => prlimit(0, RLIMITS.NOFILE, { soft: 2n, hard: 1n })).toThrow(failing('EINVAL'));
    expect(() => prlimit(0, 99)).toThrow(failing('EINVAL'));
    expect(() => prlimit(NO_PID, RLIMITS.NOFILE)).toThrow(failing('ESRCH'));
  });

  test('prctl refuses what it does not know', () => {
    expect(() => prctl(9999)).toThrow(failing('EINVAL'));
    expect(prctl(PR.PR_CAPBSET_READ, 0)).toBe(1);
    expect(() => prctl(PR.PR_CAPBSET_READ, 99)).toThrow(failing('EINVAL'));
  });
});

test('the cpus of this thread are told and set', () => {
  const before = cpuAffinity();
  const here = currentCpu();
  const one = Buffer.alloc(before.length);
  one[here >> 3] = 1 << (here & 7);
  setCpuAffinity(one);
  expect(cpuAffinity()).toEqual(one);
  expect(currentCpu()).toBe(here);
  setCpuAffinity(before);
  expect(cpuAffinity()).toEqual(before);
  expect(() => setCpuAffinity(Buffer.alloc(before.length))).toThrow(failing('EINVAL'));
});

describe('epoll', () => {
  test('tells which descriptors are ready', () => {
    const epoll = epollCreate();
    const [one, other] = [pipe(), pipe()];
    epollAdd(epoll, one.readEnd);
    epollAdd(epoll, other.readEnd, EPOLLIN);
    expect(epollWait(epoll, 0)).toEqual([]);
    writeSync(other.writeEnd, 'x');
    expect(epollWait(epoll, -1)).toEqual([other.readEnd]);
    closeSync(one.writeEnd); // hung up
    expect(epollWait(epoll, -1).sort()).toEqual([one.readEnd, other.readEnd].sort());
    epollDelete(epoll, other.readEnd);
    expect(epollWait(epoll, 0)).toEqual([one.readEnd]);
    expect(() => epollDelete(epoll, other.readEnd)).toThrow(failing('ENOENT'));
    expect(() => epollAdd(epoll, one.readEnd)).toThrow(failing('EEXIST'));
    for (const fd of [epoll, one.readEnd, other.readEnd, other.writeEnd]) closeSync(fd);
  });

  test('a file of the kernel tells its changes, which is no data', () => {
    const epoll = epollCreate();
    const mounts = openSync('/proc/self/mounts', 'r');
    epollAdd(epoll, mounts, EPOLLPRI);
    expect(epollWait(epoll, 0)).toEqual([]);
    for (const fd of [epoll, mounts]) closeSync(fd);
  });

  test('an eventfd and a pipe are polled one by one', () => {
    const event = eventfd();
    expect(pollReadable(event, 0)).toBe(false);
    writeSync(event, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]));
    expect(pollReadable(event, 1000)).toBe(true);
    const { readEnd, writeEnd } = pipe();
    expect(pollReadable(readEnd, 1)).toBe(false);
    closeSync(writeEnd);
    expect(pollReadable(readEnd, 1000)).toBe(true);
    for (const fd of [event, readEnd]) closeSync(fd);
  });
});
