import { readFileSync } from 'node:fs';
import { capabilityBits, capabilityNumber } from '@caisson/linux/syscalls';
import { describe, expect, test } from '@jest/globals';
import { capabilitySets, DEFAULT_CAPABILITIES } from './capabilities.js';

const root = undefined;
const user = { uid: 1000, gid: 1000, supplementaryGids: [] };
const numbers = (names: readonly string[]) => names.map((name) => capabilityNumber(name) as number);
const setsOf = (plan: Partial<Parameters<typeof capabilitySets>[0]>) =>
  capabilitySets({ privileged: false, ...plan });
const agentsOwn = BigInt(`0x${/^CapPrm:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);

describe('capability sets', () => {
  test('root: the default set, all of it effective', () => {
    const { bounding, effective, ambient } = setsOf({ user: root });
    expect(bounding).toEqual(numbers(DEFAULT_CAPABILITIES));
    expect(effective).toEqual(bounding);
    expect(ambient).toEqual([]);
    expect(setsOf({ user: { ...user, uid: 0 } })).toEqual(setsOf({ user: root }));
  });

  test('another user: bounded alike, none effective', () => {
    const { bounding, effective, ambient } = setsOf({ user });
    expect(bounding).toEqual(numbers(DEFAULT_CAPABILITIES));
    expect([effective, ambient]).toEqual([[], []]);
  });

  test('asked for by name: for a user too, and no more than that in the bounding set', () => {
    const capabilities = { effective: ['NET_ADMIN'], bounding: ['NET_ADMIN'] };
    for (const who of [root, user]) {
      const { bounding, effective, ambient } = setsOf({ user: who, capabilities });
      expect([bounding, effective, ambient]).toEqual(Array(3).fill(numbers(['NET_ADMIN'])));
    }
  });

  test('none at all', () => {
    const capabilities = { effective: [], bounding: [] };
    expect(setsOf({ capabilities })).toEqual({ bounding: [], effective: [], ambient: [] });
  });

  test('privileged: all that the agent itself has', () => {
    expect(capabilityBits(setsOf({ privileged: true }).bounding)).toBe(agentsOwn);
    expect(setsOf({ privileged: true, user }).effective).toEqual([]);
    const all = { effective: 'all', bounding: 'all' } as const;
    expect(capabilityBits(setsOf({ capabilities: all, user }).ambient)).toBe(agentsOwn);
  });

  test('all, within a bounding set', () => {
    const capabilities = { effective: 'all', bounding: ['CHOWN'] } as const;
    expect(setsOf({ capabilities }).effective).toEqual(process.getuid?.() === 0 ? numbers(['CHOWN']) : []);
  });

  test('unknown and unbounded names are refused', () => {
    const refused = (effective: string[], bounding: string[]) => () =>
      setsOf({ capabilities: { effective, bounding } });
    expect(refused(['CAP_CHOWN'], ['CAP_CHOWN'])).toThrow(
      expect.objectContaining({ code: 'CAPABILITY_UNKNOWN', kind: 'invalid' }),
    );
    expect(refused(['KILL'], ['CHOWN'])).toThrow(
      expect.objectContaining({ code: 'CAPABILITY_NOT_BOUNDED', message: expect.stringContaining('KILL') }),
    );
  });
});
