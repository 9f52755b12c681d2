import { describe, expect, test } from '@jest/globals';
import { classidOf, formatClassid, parseHalf, primaryOf, secondaryOf } from './handle.js';
import { HandlePool } from './handle-pool.js';
import { Handles } from './handles.js';

const WHOLE = { lower: 1, upper: 0xffff };

test('a class is primary << 16 | secondary, without a sign', () => {
  expect(classidOf(0x12, 0x11)).toBe(1_179_665);
  expect(classidOf(0xffff, 0xffff)).toBe(0xffffffff);
  expect([primaryOf(0xffff0001), secondaryOf(0xffff0001)]).toEqual([0xffff, 1]);
  expect(formatClassid(0x100001)).toBe('0x00100001');
});

test.each([
  ['0x0010', 16],
  ['0xFFFF', 65_535],
  ['17', 17],
  [1, 1],
  [65_535, 65_535],
])('%j is a handle', (written, handle) => {
  expect(parseHalf(written)).toBe(handle);
});

test.each([
  '',
  '0',
  '0x0',
  '0x',
  '-1',
  '65536',
  '0x10000',
  '1.5',
  'x',
  ' 1',
  '1 ',
  '0b1',
  '1e3',
  0,
  -1,
  65_536,
  1.5,
])('%j is none', (written) => {
  expect(parseHalf(written)).toBeUndefined();
});

describe('a pool', () => {
  test('gives all 65,535 secondary handles, each once, takes them back, and gives them again', () => {
    const handles = new Handles(new HandlePool([0x10], WHOLE));
    const pool = handles.pool!;
    for (const round of ['first', 'second']) {
      const given = Array.from({ length: 65_535 }, (_, index) => handles.allocate(pool, `${round}-${index}`));
      expect(new Set(given).size).toBe(65_535);
      expect([given[0], given.at(-1)]).toEqual([0x100001, 0x10ffff]);
      expect(pool.free).toBe(0);
      expect(() => handles.allocate(pool, 'one-more')).toThrow(
        expect.objectContaining({
          code: 'NO_FREE_HANDLES',
          kind: 'exhausted',
          message: expect.stringMatching(/container one-more .*no free handles, all 65535 of primary 0x0010/),
        }),
      );
      for (let index = 0; index < 65_535; index += 1) handles.letGo(`${round}-${index}`);
      expect(pool.free).toBe(65_535);
    }
  });

  test('gives the lowest free one, also after one in the middle came back', () => {
    const handles = new Handles(new HandlePool([1], { lower: 5, upper: 9 }));
    const take = (id: string) => secondaryOf(handles.allocate(handles.pool!, id));
    expect(['a', 'b', 'c', 'd', 'e'].map(take)).toEqual([5, 6, 7, 8, 9]);
    handles.letGo('d');
    handles.letGo('b');
    expect(['f', 'g'].map(take)).toEqual([6, 8]);
    expect(() => take('h')).toThrow('no free handles, all 5 of primary 0x0001');
  });

  test('uses one primary up before the next', () => {
    const handles = new Handles(new HandlePool([3, 2], { lower: 1, upper: 2 }));
    expect(handles.pool!.total).toBe(4);
    const given = ['a', 'b', 'c', 'd'].map((id) => handles.allocate(handles.pool!, id));
    expect(given).toEqual([0x30001, 0x30002, 0x20001, 0x20002]);
  });

  test('knows what is of it', () => {
    const pool = new HandlePool([0x10], { lower: 2, upper: 3 });
    expect([0x100001, 0x100002, 0x100003, 0x100004, 0x110002].map((id) => pool.has(id))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('holders', () => {
  const handlesOf = (lower: number, upper: number) => new Handles(new HandlePool([1], { lower, upper }));

  test('what is found is held: neither of the pool nor twice is an error', () => {
    const handles = handlesOf(1, 2);
    handles.hold('foreign', 0x990001);
    handles.hold('web', 0x10001);
    handles.hold('the cgroup backup', 0x10001);
    expect(handles.pool!.free).toBe(1);
    handles.letGo('web');
    expect(handles.pool!.free).toBe(1);
    handles.letGo('the cgroup backup');
    handles.letGo('foreign');
    handles.letGo('nobody');
    expect(handles.pool!.free).toBe(2);
  });

  test('one that changes its class gives the old one back', () => {
    const handles = handlesOf(1, 2);
    handles.hold('web', 0x10001);
    handles.hold('web', 0x10002);
    handles.hold('web', 0x10002);
    expect(handles.isFree(0x10001)).toBe(true);
    expect(handles.of('web')).toBe(0x10002);
  });

  test('a class that is asked for is given, if it is of the pool and free', () => {
    const handles = handlesOf(1, 5);
    const pool = handles.pool!;
    expect(handles.allocate(pool, 'web', 0x10003)).toBe(0x10003);
    expect(() => handles.allocate(pool, 'other', 0x10003)).toThrow(
      expect.objectContaining({ code: 'HANDLE_IN_USE', details: { classid: 0x10003, holder: 'web' } }),
    );
    expect(() => handles.allocate(pool, 'other', 0x10006)).toThrow(
      expect.objectContaining({ code: 'HANDLE_NOT_IN_POOL', kind: 'denied' }),
    );
    expect(handles.allocate(pool, 'other')).toBe(0x10001);
  });
});
