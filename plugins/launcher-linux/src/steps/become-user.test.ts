import { lastCapability } from '@caisson/linux/proc';
import { capabilityNumber, PR } from '@caisson/linux/syscalls';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { describe, expect, test } from '@jest/globals';
import { callsOf } from '../testing/calls-of.js';
import { hostPlan } from '../testing/standard-plan.js';
import { becomeUser, dropBounding, setCapabilities } from './become-user.js';

const user = { uid: 1000, gid: 1001, supplementaryGids: [10, 20] };
const planned = (edit: Partial<LaunchPlanData>) => hostPlan('true', edit);
const numbers = (...names: string[]) => names.map((name) => capabilityNumber(name) as number);

/** `struct __user_cap_data_struct` twice: effective, permitted, inheritable, low halves first. */
function capData(effective: number[], inheritable: number[]): string {
  const bytes = Buffer.alloc(24);
  const bits = (list: number[]) => list.reduce((sum, number) => sum | (1n << BigInt(number)), 0n);
  [bits(effective), bits(effective), bits(inheritable)].forEach((set, i) => {
    bytes.writeUInt32LE(Number(set & 0xffff_ffffn), i * 4);
    bytes.writeUInt32LE(Number(set >> 32n), 12 + i * 4);
  });
  return bytes.toString('hex');
}

describe('become-user', () => {
  test('groups, then gid, then uid: afterwards there is no right to set the others', () => {
    expect(callsOf(becomeUser, planned({ user, supplementaryGids: [20, 30] }))).toEqual([
      ['setgroups', 3, '0a000000140000001e000000'],
      ['prctl', PR.PR_SET_KEEPCAPS, 1, 0, 0, 0],
      ['setresgid', 1001, 1001, 1001],
      ['setresuid', 1000, 1000, 1000],
    ]);
  });

  test('nobody named: the groups of the agent are dropped all the same', () => {
    expect(callsOf(becomeUser, planned({}))).toEqual([['setgroups', 0, 0]]);
  });

  test('the largest ids', () => {
    const largest = { uid: 2 ** 32 - 2, gid: 2 ** 32 - 2, supplementaryGids: [2 ** 32 - 2] };
    expect(callsOf(becomeUser, planned({ user: largest }))[0]).toEqual(['setgroups', 1, 'feffffff']);
  });
});

describe('drop-bounding', () => {
  const dropped = (edit: Partial<LaunchPlanData>) =>
    callsOf(dropBounding, planned(edit)).map(([, option, number]) => {
      expect(option).toBe(PR.PR_CAPBSET_DROP);
      return number;
    });

  test('everything that is not bounded, to the last one that the kernel knows', () => {
    const bounding = ['CHOWN', 'KILL'];
    const all = Array.from({ length: lastCapability() + 1 }, (_, i) => i);
    expect(dropped({ capabilities: { effective: [], bounding } })).toEqual(
      all.filter((n) => !numbers(...bounding).includes(n)),
    );
  });

  test('what makes root of a container root on the host is not in the default set', () => {
    const dangerous = ['SYS_ADMIN', 'SYS_PTRACE', 'SYS_MODULE', 'SYS_RAWIO', 'DAC_READ_SEARCH', 'MKNOD'];
    expect(dropped({})).toEqual(expect.arrayContaining(numbers(...dangerous)));
  });
});

describe('set-capabilities', () => {
  const after = (edit: Partial<LaunchPlanData>) => callsOf(setCapabilities, planned(edit));
  const clear = ['prctl', PR.PR_CAP_AMBIENT, PR.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0];
  const raise = (n: number) => ['prctl', PR.PR_CAP_AMBIENT, PR.PR_CAP_AMBIENT_RAISE, n, 0, 0];
  const noNewPrivileges = ['prctl', PR.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0];
  const noRoot = ['prctl', PR.PR_SET_SECUREBITS, 3, 0, 0, 0];
  const names = (calls: readonly (readonly unknown[])[]) => calls.find(([name]) => name === 'capset')?.[2];

  test('a user who is not root has none', () => {
    const calls = after({ user });
    expect(calls[0]).toEqual(clear);
    expect(names(calls)).toBe('memory of 24');
    expect(calls).toContainEqual(noNewPrivileges);
  });

  test('what was asked for by name is effective, inheritable and ambient: it survives the exec', () => {
    const capabilities = { effective: ['NET_ADMIN'], bounding: ['NET_ADMIN', 'CHOWN'] };
    const calls = after({ user, capabilities });
    const [netAdmin] = numbers('NET_ADMIN') as [number];
    expect(names(calls)).toBe(capData([netAdmin], [netAdmin]));
    expect(calls).toContainEqual(raise(netAdmin));
    expect(calls).not.toContainEqual(noRoot);
  });

  test('root with fewer than its bounding set: exec gives it no more (SECBIT_NOROOT, locked)', () => {
    const calls = after({ capabilities: { effective: ['CHOWN'], bounding: ['CHOWN', 'KILL'] } });
    expect(calls[0]).toEqual(noRoot);
  });

  test('root by default: the bounding set, nothing inheritable or ambient', () => {
    const calls = after({});
    expect(calls).not.toContainEqual(noRoot);
    expect(String(names(calls)).slice(16, 24)).toBe('00000000');
    expect(calls.filter((call) => call[2] === PR.PR_CAP_AMBIENT_RAISE)).toEqual([]);
  });

  test('last, since a change of credentials clears them: untraceable, and the parent-death signal', () => {
    expect(after({ user, noNewPrivileges: false }).slice(-2)).toEqual([
      ['prctl', PR.PR_SET_DUMPABLE, 0, 0, 0, 0],
      ['prctl', PR.PR_SET_PDEATHSIG, 9, 0, 0, 0],
    ]);
    expect(after({ noNewPrivileges: false })).not.toContainEqual(noNewPrivileges);
  });
});
