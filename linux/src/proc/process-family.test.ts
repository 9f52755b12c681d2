import { describe, expect, test } from '@jest/globals';
import { type Kin, ProcessFamily } from './process-family.js';
import { type ProcessStat, parseStat } from './process-stat.js';
import { ProcessTable, processTable } from './process-table.js';

/** [pid, ppid, session]; the process group is the session, the start time the pid. */
type Row = readonly [pid: number, ppid: number, session: number, startTime?: number];

const kin = ([pid, ppid, session, startTime = pid]: Row): Kin => ({
  pid,
  ppid,
  session,
  processGroup: session,
  startTime,
});

const [INIT, AGENT, SUPERVISOR, HEAD] = [1, 10, 20, 21];
/** The agent in its session; a supervisor that leads the container's; another container beside it. */
const HOST: readonly Row[] = [
  [INIT, 0, 0],
  [AGENT, INIT, 5],
  [SUPERVISOR, AGENT, SUPERVISOR],
  [HEAD, SUPERVISOR, SUPERVISOR],
  [30, AGENT, 30],
  [31, 30, 30],
];

const pidsOf = (family: ProcessFamily<Kin>, rows: readonly Row[], inCgroup: readonly number[] = []) =>
  family
    .members(rows.map(kin), inCgroup)
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);
const newFamily = () => new ProcessFamily<Kin>(HEAD, AGENT);

describe('the processes of a container', () => {
  test('are the first one and its descendants, in whatever session; not its supervisor', () => {
    expect(pidsOf(newFamily(), [...HOST, [40, HEAD, SUPERVISOR], [41, 40, 41], [42, 41, 41]])).toEqual([
      21, 40, 41, 42,
    ]);
  });

  test('an orphan that stayed in the session', () => {
    expect(pidsOf(newFamily(), [...HOST, [40, INIT, SUPERVISOR]])).toEqual([21, 40]);
  });

  test('an orphan that left the session and stayed in the cgroup, with its children', () => {
    expect(pidsOf(newFamily(), [...HOST, [40, INIT, 40], [41, 40, 41]], [HEAD, 40])).toEqual([21, 40, 41]);
  });

  test('an orphan that left everything is known if it was seen before', () => {
    const family = newFamily();
    expect(pidsOf(family, [...HOST, [40, HEAD, SUPERVISOR]])).toEqual([21, 40]);
    expect(pidsOf(family, [...HOST, [40, INIT, 40], [41, 40, 40]])).toEqual([21, 40, 41]);
    expect(pidsOf(newFamily(), [...HOST, [40, INIT, 40], [41, 40, 40]])).toEqual([21]);
  });

  test('what is left after the first one has ended', () => {
    const family = newFamily();
    pidsOf(family, HOST);
    const rest: Row[] = HOST.filter(([pid]) => pid !== HEAD && pid !== SUPERVISOR);
    expect(pidsOf(family, [...rest, [40, INIT, SUPERVISOR]])).toEqual([40]);
  });

  test('a process that got the number of one that has ended is a stranger', () => {
    const family = newFamily();
    pidsOf(family, [...HOST, [40, HEAD, SUPERVISOR]]);
    expect(pidsOf(family, [...HOST, [40, INIT, 40, 999]])).toEqual([21]);
    const others = HOST.filter(([pid]) => pid !== HEAD);
    expect(pidsOf(family, [...others, [HEAD, INIT, 77, 999], [50, HEAD, 77]])).toEqual([]);
  });

  test('the session of the agent is no sign: a container in it is its descendants', () => {
    const rows: Row[] = [
      [INIT, 0, 0],
      [AGENT, INIT, 5],
      [HEAD, AGENT, 5],
      [22, AGENT, 5],
      [23, HEAD, 5],
    ];
    expect(pidsOf(newFamily(), rows)).toEqual([21, 23]);
  });

  test('without sessions to tell the process group counts', () => {
    const rows = [...HOST, [40, INIT, SUPERVISOR] as Row].map(kin).map((each) => ({ ...each, session: 0 }));
    const found = newFamily().members(rows);
    expect(new Set(found.map(({ pid }) => pid))).toEqual(new Set([21, 40]));
  });

  test('the agent and who is above it never belong to it, whatever a cgroup says', () => {
    expect(pidsOf(newFamily(), HOST, [INIT, AGENT, SUPERVISOR, HEAD])).toEqual([21]);
  });
});

describe('the table of processes', () => {
  const stat = (pid: number) => ({ pid }) as ProcessStat;

  test('is read once for all who ask within a moment', async () => {
    let [reads, now] = [0, 0];
    const table = new ProcessTable(
      async () => [stat(++reads)],
      () => now,
    );
    await Promise.all([table.list(), table.list()]);
    now = 99;
    expect(await table.list()).toEqual([stat(1)]);
    now = 100;
    expect(await table.list()).toEqual([stat(2)]);
  });

  test('is read again for a process that it lacks', async () => {
    let reads = 0;
    const table = new ProcessTable(
      async () => [stat(++reads)],
      () => 0,
    );
    expect(await table.list(1)).toEqual([stat(1)]);
    expect(await table.list(2)).toEqual([stat(2)]);
  });

  test('a failure is not kept', async () => {
    let reads = 0;
    const table = new ProcessTable(
      async () => {
        if (++reads === 1) throw new Error('EMFILE');
        return [];
      },
      () => 0,
    );
    await expect(table.list()).rejects.toThrow('EMFILE');
    expect(await table.list()).toEqual([]);
  });
});

test('a line of /proc/<pid>/stat, with the times of the process and its children', () => {
  const line = '7 (a) b) S 1 7 7 0 -1 4194560 5 6 7 8 11 22 33 44 20 0 1 0 987 1000 200 0';
  expect(parseStat(line)).toMatchObject({
    pid: 7,
    command: 'a) b',
    userTicks: 11,
    systemTicks: 22,
    childrenUserTicks: 33,
    childrenSystemTicks: 44,
    startTime: 987,
  });
});

(process.platform === 'linux' ? test : test.skip)('the table of this host', async () => {
  const all = await processTable.list(process.pid);
  expect(all.find(({ pid }) => pid === process.pid)).toMatchObject({ ppid: process.ppid });
});
