import { closeSync, writeSync } from 'node:fs';
import { RECORD_BYTES } from '@caisson/linux/exec-stage';
import { Reaper } from '@caisson/linux/process';
import { pipe } from '@caisson/linux/syscalls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ReportReader, splitMessages } from './report-reader.js';

const pidBytes = (pid: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(pid), 0);
  return bytes;
};
const pid = fc.integer({ min: 1, max: 2 ** 22 });
const record = fc.uint8Array({ minLength: RECORD_BYTES, maxLength: RECORD_BYTES }).map((b) => Buffer.from(b));

describe('messages', () => {
  test('are what was written: pids, then records of those that failed', () => {
    const pids = fc.array(pid, { maxLength: 4 });
    fc.assert(
      fc.property(pids, fc.array(record, { maxLength: 2 }), (some, records) => {
        expect(splitMessages(Buffer.concat([...some.map(pidBytes), ...records]))).toEqual([
          ...some.map((value) => ({ kind: 'pid', pid: value })),
          ...records.map((value) => ({ kind: 'failure', record: value })),
        ]);
      }),
    );
  });

  test('of nonsense are few, and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(splitMessages(Buffer.from(bytes)).length).toBeLessThanOrEqual(bytes.length / 8);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a reader', () => {
  let reaper: Reaper;
  let ends: ReturnType<typeof pipe>;
  let reader: ReportReader;
  beforeEach(() => {
    reaper = new Reaper();
    ends = pipe();
    reader = new ReportReader(ends.readEnd, reaper);
  });
  afterEach(() => {
    reader.close();
    reaper.close();
  });

  test('gives what is there, one by one, then the end', async () => {
    writeSync(ends.writeEnd, Buffer.concat([pidBytes(7), pidBytes(8)]));
    closeSync(ends.writeEnd);
    expect(reader.next(0)).toEqual({ kind: 'pid', pid: 7 });
    expect(reader.next(0)).toEqual({ kind: 'pid', pid: 8 });
    expect(reader.next(0)).toEqual({ kind: 'end' });
    expect(reader.next(0)).toEqual({ kind: 'end' });
  });

  test('waits for what is not there yet', async () => {
    const next = reader.next(0);
    expect(next).toBeInstanceOf(Promise);
    writeSync(ends.writeEnd, pidBytes(7));
    expect(await next).toEqual({ kind: 'pid', pid: 7 });
    closeSync(ends.writeEnd);
    expect(await reader.next(0)).toEqual({ kind: 'end' });
  });

  test('that is asked for what is there now waits no longer', async () => {
    const abandoned = reader.next(0);
    expect(reader.now()).toBeUndefined();
    writeSync(ends.writeEnd, pidBytes(9));
    expect(reader.now()).toEqual({ kind: 'pid', pid: 9 });
    const first = await Promise.race([
      abandoned,
      new Promise((resolve) => setTimeout(resolve, 20, 'nothing')),
    ]);
    expect(first).toBe('nothing');
    const next = reader.next(0);
    closeSync(ends.writeEnd);
    expect(await next).toEqual({ kind: 'end' });
  });

  test('takes half a pid for no message', async () => {
    const next = reader.next(0);
    writeSync(ends.writeEnd, 'abc');
    expect(await next).toEqual({ kind: 'end' });
    closeSync(ends.writeEnd);
  });

  test('can be closed twice', () => {
    reader.close();
    reader.close();
    closeSync(ends.writeEnd);
  });
});
