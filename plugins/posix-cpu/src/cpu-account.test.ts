import { describe, expect, test } from '@jest/globals';
import { CpuAccount, type TimedProcess } from './cpu-account.js';
import { parseCpuTime, parsePs } from './ps.js';

/** A process with user ticks of its own and of the children it has waited for; half as many in the kernel. */
const process = (pid: number, own: number, children = 0): TimedProcess => ({
  pid,
  ppid: 1,
  processGroup: pid,
  session: pid,
  startTime: pid,
  userTicks: own,
  systemTicks: own / 2,
  childrenUserTicks: children,
  childrenSystemTicks: children / 2,
});
const user = (account: CpuAccount, ...processes: TimedProcess[]) => {
  const { user, system } = account.add(processes);
  expect(system).toBe(user / 2);
  return user;
};

describe('cpu time', () => {
  test('is that of all processes, and of the children that they have waited for', () => {
    expect(user(new CpuAccount(), process(1, 10), process(2, 4, 6))).toBe(20);
  });

  test('stays when a child ends and its parent waits for it', () => {
    const account = new CpuAccount();
    expect(user(account, process(1, 10), process(2, 40))).toBe(50);
    expect(user(account, process(1, 10, 40))).toBe(50);
    expect(user(account, process(1, 12, 40))).toBe(52);
  });

  test('of a child grows between the last look and its end', () => {
    const account = new CpuAccount();
    user(account, process(1, 10), process(2, 40));
    expect(user(account, process(1, 10, 44))).toBe(54);
  });

  test('is kept of one that nobody of the container waits for', () => {
    const account = new CpuAccount();
    expect(user(account, process(1, 10), process(2, 40))).toBe(50);
    expect(user(account, process(1, 14))).toBe(54);
    expect(user(account, process(1, 14, 2))).toBe(56);
  });

  test('is kept as far as no parent has got it, when several end at once', () => {
    const account = new CpuAccount();
    user(account, process(1, 10), process(2, 40), process(3, 30));
    expect(user(account, process(1, 10, 40))).toBe(80);
  });

  test('is kept of a whole container that has ended', () => {
    const account = new CpuAccount();
    user(account, process(1, 10, 5), process(2, 40));
    expect(user(account)).toBe(55);
    expect(user(account)).toBe(55);
  });

  test('is kept of one whose number is taken by another', () => {
    const account = new CpuAccount();
    user(account, process(1, 10), process(2, 40));
    expect(user(account, process(1, 10), { ...process(2, 2), startTime: 99 })).toBe(52);
  });

  test('begins at what was reported before a restart', () => {
    expect(user(new CpuAccount({ user: 100, system: 50 }), process(1, 30))).toBe(100);
    const account = new CpuAccount({ user: 100, system: 50 });
    user(account, process(1, 30));
    expect(user(account, process(1, 34))).toBe(104);
    expect(user(new CpuAccount({ user: 100, system: 50 }), process(1, 130))).toBe(130);
  });

  test('never goes backwards, whatever happens', () => {
    let seed = 1;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const account = new CpuAccount();
    let processes = [process(1, 0)];
    for (let [round, last, next] = [0, 0, 2]; round < 500; round++) {
      const ended = processes.filter(() => random(4) === 0);
      const reaped = ended.filter(() => random(2) === 0);
      processes = processes
        .filter((each) => !ended.includes(each))
        .map((each) => process(each.pid, each.userTicks + random(3) * 2, each.childrenUserTicks));
      const heir = processes[0];
      const left = reaped.reduce((total, each) => total + each.userTicks + each.childrenUserTicks, 0);
      if (heir) processes[0] = process(heir.pid, heir.userTicks, heir.childrenUserTicks + left);
      while (random(2) === 0) processes.push(process(next++, random(5) * 2));
      const now = user(account, ...processes);
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });
});

describe('ps', () => {
  test.each([
    ['0:01.23', 123],
    ['61:02.50', 366_250],
    ['00:00:05', 500],
    ['01:00:00', 360_000],
    ['2-03:04:05', 18_384_500],
  ])('%s is %d ticks', (text, ticks) => expect(parseCpuTime(text)).toBe(ticks));
  test.each(['', '-', 'TIME', '1:x'])('%j is no time', (text) => expect(parseCpuTime(text)).toBeNaN());

  test('lines of macOS, with user time apart', () => {
    expect(
      parsePs('    1     0     1   1:02.00   0:30.00\n  501   1   500   0:00.10   0:00.04\n'),
    ).toMatchObject([
      { pid: 1, ppid: 0, processGroup: 1, userTicks: 3000, systemTicks: 3200 },
      { pid: 501, ppid: 1, processGroup: 500, userTicks: 4, systemTicks: 6 },
    ]);
  });

  test('lines of POSIX; what is none is left out', () => {
    expect(parsePs('PID PPID PGID TIME\n 7 1 7 00:00:02\n\n')).toMatchObject([
      { pid: 7, userTicks: 200, systemTicks: 0 },
    ]);
  });
});
