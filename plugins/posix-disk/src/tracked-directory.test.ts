import { holdBeneath, type Limitation } from '@caisson/plugin-sdk';
import { ManualClock, RecordingLogger } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import { readCheckpoint } from './checkpoint.js';
import { type MeasuredDirectory, quotaBytes, SANDBOX } from './directories.js';
import { excessOf } from './judge.js';
import type { Found } from './measurement.js';
import { fillIn } from './statistics.js';
import { type Gauge, TrackedDirectory, type TrackingSettings } from './tracked-directory.js';

const MIB = 2 ** 20;
const directory = (quotaMb: number, more: Partial<MeasuredDirectory> = {}): MeasuredDirectory => ({
  key: SANDBOX,
  quotaMb,
  hold: () => holdBeneath('/', []),
  ...more,
});

const VOLUME = {
  key: '/mnt/volumes/roles/ads/db',
  volume: {
    disk: 4,
    persistence: { id: 'db', principal: 'ops' },
    volume: { containerPath: 'path1', mode: 'RW' },
    source: { type: 'PATH', root: '/mnt' },
    role: 'ads',
  },
} as const;

function tracked(quotaMb: number, more: Partial<TrackingSettings> = {}, gauge: Partial<Gauge> = {}) {
  const clock = new ManualClock();
  const log = new RecordingLogger();
  const answers: (Found | Error)[] = [];
  const settings = { enforceQuota: true, gracePeriodMs: 0, warnAt: 0, maxFiles: 0, clock, log, ...more };
  const it = new TrackedDirectory(
    'web',
    directory(quotaMb),
    {
      name: 'du',
      walks: true,
      kernelRefuses: false,
      async read() {
        const answer = answers.shift();
        if (!answer || answer instanceof Error) throw answer;
        return answer;
      },
      ...gauge,
    },
    settings,
  );
  const limitations: Limitation[] = [];
  it.report = (limitation) => limitations.push(limitation);
  const measure = async (answer: number | Partial<Found> | Error) => {
    const found = typeof answer === 'number' ? { usedBytes: answer } : answer;
    answers.push(found instanceof Error ? found : { usedBytes: 0, ...found });
    await it.measure(new AbortController().signal);
  };
  return { it, clock, log, limitations, measure };
}

describe('the quota', () => {
  test('more than it ends the container, with the reason, message and resources of Mesos', async () => {
    const { limitations, measure } = tracked(1);
    await measure(MIB);
    expect(limitations).toEqual([]);
    await measure(2 * MIB);
    expect(limitations).toEqual([
      {
        reason: 'REASON_CONTAINER_LIMITATION_DISK',
        message: 'Disk usage (2MB) exceeds quota (1MB)',
        resources: { disk: 1 },
      },
    ]);
  });

  test('is reported once; measuring goes on', async () => {
    const { it, limitations, measure } = tracked(1);
    await measure(2 * MIB);
    await measure(3 * MIB);
    expect(limitations).toHaveLength(1);
    expect(it.last?.usedBytes).toBe(3 * MIB);
  });

  test('half a MiB is half a MiB', () => {
    expect(quotaBytes({ quotaMb: 0.5 })).toBe(MIB / 2);
    expect(excessOf({ usedBytes: 524_289 }, { bytes: quotaBytes({ quotaMb: 0.5 }), files: 0 })).toBe(
      'Disk usage (524289B) exceeds quota (512KB)',
    );
  });

  test('is only watched where it is not enforced, or where the kernel holds it', async () => {
    for (const { limitations, measure } of [
      tracked(1, { enforceQuota: false }),
      tracked(1, {}, { kernelRefuses: true }),
    ]) {
      await measure(2 * MIB);
      expect(limitations).toEqual([]);
    }
  });

  test('what the kernel does not hold ends the container', async () => {
    const { limitations, measure } = tracked(1, {}, { kernelRefuses: true });
    await measure({ usedBytes: 2 * MIB, unboundBytes: MIB });
    expect(limitations).toHaveLength(1);
  });

  test('a lower bound is enough', async () => {
    const { limitations, measure } = tracked(1);
    await measure({ usedBytes: 2 * MIB, problem: 'du was not through' });
    expect(limitations).toHaveLength(1);
  });

  test('that was changed counts from the next measurement on', async () => {
    const { it, limitations, measure } = tracked(1);
    it.directory = directory(3);
    await measure(2 * MIB);
    expect(limitations).toEqual([]);
    it.directory = directory(1);
    await measure(2 * MIB);
    expect(limitations).toHaveLength(1);
  });

  test('may be exceeded for the grace period, and that begins anew', async () => {
    const { clock, limitations, measure } = tracked(1, { gracePeriodMs: 1000 });
    for (const [ms, used] of [
      [0, 2],
      [900, 2],
      [1, 1],
      [500, 2],
      [999, 2],
    ] as const) {
      clock.advance(ms);
      await measure(used * MIB);
      expect(limitations).toEqual([]);
    }
    clock.advance(1);
    await measure(2 * MIB);
    expect(limitations).toHaveLength(1);
  });

  test('of a volume ends the container too, and names the volume', async () => {
    const { it, limitations, measure } = tracked(1, { maxFiles: 1 });
    it.directory = directory(4, VOLUME);
    await measure({ usedBytes: 4 * MIB, files: 7 });
    expect(limitations).toEqual([]);
    await measure(5 * MIB);
    expect(limitations).toEqual([
      {
        reason: 'REASON_CONTAINER_LIMITATION_DISK',
        message: 'Disk usage (5MB) exceeds quota (4MB)',
        resources: { volumes: [VOLUME.volume] },
      },
    ]);
  });

  test('of a volume that is a filesystem of its own, or that others fill, ends nobody', async () => {
    for (const more of [
      { source: { type: 'MOUNT', root: '/mnt' } },
      { volume: { containerPath: 'path1', mode: 'RO' } },
    ] as const) {
      const { it, limitations, measure } = tracked(1);
      it.directory = directory(4, { ...VOLUME, volume: { ...VOLUME.volume, ...more } });
      await measure(5 * MIB);
      expect(limitations).toEqual([]);
      expect(it.last?.usedBytes).toBe(5 * MIB);
    }
  });

  test('of files', async () => {
    const { limitations, measure } = tracked(1, { maxFiles: 10 });
    await measure({ files: 10 });
    await measure({ files: 11 });
    expect(limitations[0]?.message).toBe('Disk usage (11 files) exceeds quota (10 files)');
  });
});

describe('the log', () => {
  test('warns once when a part of the quota is used, and again after it was not', async () => {
    const { log, measure } = tracked(1, { warnAt: 0.9, enforceQuota: false });
    for (const part of [0.8, 0.95, 0.99, 0.5, 0.95]) await measure(Math.round(part * MIB));
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
    expect(log.lines[0]).toMatchObject({ fields: { container: 'web', quota: '1MB' } });
  });

  test('says once that measuring fails, and the figure stands', async () => {
    const { it, log, measure } = tracked(1);
    await measure(1024);
    for (let n = 0; n < 3; n++) await measure(new Error('du has told nothing'));
    expect(log.lines).toHaveLength(1);
    expect(it.last?.usedBytes).toBe(1024);
    expect(it.failure).toEqual({ message: 'du has told nothing', count: 3 });
    await measure(2048);
    expect(it.failure).toBeUndefined();
  });
});

describe('the statistics', () => {
  test('of Mesos, with age, duration and what was wrong', async () => {
    const { it, clock, measure } = tracked(3);
    await measure({ usedBytes: 1024, files: 2, problem: 'cannot read a directory' });
    clock.advance(1500);
    await measure(new Error('du hangs'));
    const statistics = { timestamp: 1, extensions: { 'someone/else': 1 } };
    fillIn(statistics, [it], clock.monotonicMs());
    expect(statistics).toEqual({
      timestamp: 1,
      disk_limit_bytes: 3 * MIB,
      disk_used_bytes: 1024,
      disk_statistics: [{ limit_bytes: 3 * MIB, used_bytes: 1024 }],
      extensions: {
        'someone/else': 1,
        'posix/disk': {
          meter: 'du',
          age_secs: 1.5,
          duration_secs: 0,
          files: 2,
          incomplete: 'cannot read a directory',
          error: 'du hangs',
          failed_measurements: 1,
        },
      },
    });
  });

  test('before the first measurement: 0, and no used_bytes', () => {
    const statistics = { timestamp: 1 };
    fillIn(statistics, [tracked(1).it], 0);
    expect(statistics).toMatchObject({ disk_used_bytes: 0, disk_statistics: [{ limit_bytes: MIB }] });
  });

  test('nothing is measured, nothing is said', () => {
    const statistics = { timestamp: 1 };
    fillIn(statistics, [], 0);
    expect(statistics).toEqual({ timestamp: 1 });
  });

  test('volumes come first, each with its persistence, and are no part of the sandbox', async () => {
    const sandbox = tracked(3);
    await sandbox.measure(2 * MIB);
    const volume = tracked(4);
    volume.it.directory = directory(4, VOLUME);
    await volume.measure(2 * MIB + 4096);
    const statistics = { timestamp: 1 };
    fillIn(statistics, [sandbox.it, volume.it], 0);
    expect(statistics).toMatchObject({
      disk_limit_bytes: 3 * MIB,
      disk_used_bytes: 2 * MIB,
      disk_statistics: [
        {
          limit_bytes: 4 * MIB,
          used_bytes: 2 * MIB + 4096,
          persistence: { id: 'db', principal: 'ops' },
          source: { type: 'PATH', path: { root: '/mnt' } },
        },
        { limit_bytes: 3 * MIB, used_bytes: 2 * MIB },
      ],
      extensions: { 'posix/disk': { meter: 'du', volumes: [{ id: 'db', meter: 'du' }] } },
    });
  });
});

test('a checkpoint that this isolator did not write is none', () => {
  for (const value of [undefined, null, 'x', { slow: 1 }, { account: { kind: 'zfs' } }])
    expect(readCheckpoint(value)).toEqual({});
  const account = { kind: 'project', project: 5000 };
  expect(readCheckpoint({ account, of: 'a later version' })).toEqual({ account });
});
