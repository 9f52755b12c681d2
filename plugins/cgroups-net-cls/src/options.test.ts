import { z } from '@caisson/plugin-sdk';
import { describe, expect, test } from '@jest/globals';
import { NetClsOptions } from './options.js';

const parsed = (options: unknown) => {
  const { primaryHandle, secondaryHandles } = NetClsOptions.parse(options);
  return [primaryHandle, secondaryHandles];
};

test('by default classes are not managed', () => {
  expect(parsed({})).toEqual([undefined, undefined]);
});

test.each([
  ['0x0010', [0x10]],
  ['16', [16]],
  [0x10, [16]],
  ['0x0010,0x0011', [0x10, 0x11]],
  [
    ['0x0010', 17],
    [16, 17],
  ],
])('primaryHandle: %j', (primaryHandle, handles) => {
  expect(parsed({ primaryHandle })).toEqual([handles, undefined]);
});

test.each(['0x0001,0x00ff', '1,255', [1, 255], ['0x01', 255]])('secondaryHandles: %j', (secondaryHandles) => {
  expect(parsed({ primaryHandle: 1, secondaryHandles })).toEqual([[1], { lower: 1, upper: 255 }]);
});

describe('what the agent does not start with', () => {
  test.each([
    [{ primaryHandle: '0x10000' }, 'from 1 to 0xffff'],
    [{ primaryHandle: 0 }, 'from 1 to 0xffff'],
    [{ primaryHandle: '-1' }, 'from 1 to 0xffff'],
    [{ primaryHandle: '' }, 'from 1 to 0xffff'],
    [{ primaryHandle: [] }, ''],
    [{ primaryHandle: '1,1' }, 'named twice'],
    [{ primaryHandle: 1, secondaryHandles: '1' }, 'the lowest and the highest'],
    [{ primaryHandle: 1, secondaryHandles: '1,2,3' }, 'the lowest and the highest'],
    [{ primaryHandle: 1, secondaryHandles: '0,3' }, 'the lowest and the highest'],
    [{ primaryHandle: 1, secondaryHandles: '1,0x10000' }, 'the lowest and the highest'],
    [{ primaryHandle: 1, secondaryHandles: '4,3' }, 'above the highest'],
    [{ secondaryHandles: '1,3' }, 'needs primaryHandle'],
  ])('%j', (options, message) => {
    expect(NetClsOptions.safeParse(options).error?.message).toContain(message);
  });
});

test('the flags of Mesos are known, and the schema can be exported', () => {
  const { properties } = z.toJSONSchema(NetClsOptions, { io: 'input', target: 'draft-7' });
  expect(properties).toMatchObject({
    primaryHandle: { flag: 'cgroups_net_cls_primary_handle' },
    secondaryHandles: { flag: 'cgroups_net_cls_secondary_handles' },
    root: { flag: 'cgroups_root', default: 'caisson' },
  });
});
