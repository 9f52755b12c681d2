import { lastCapability } from '@caisson/linux/proc';
import { capabilityBits, capabilityData, capabilityHeader, PR } from '@caisson/linux/syscalls';
import { administrationAnd, capabilitySets, isRoot } from '../capabilities.js';
import type { LaunchTable } from '../launch-table.js';
import type { LaunchStep } from '../step.js';

const SIGKILL = 9;
const [SECBIT_NOROOT, SECBIT_NOROOT_LOCKED] = [1, 2];

/** Step drop-bounding: no exec can give back what is dropped here. Needs CAP_SETPCAP: before the user changes. */
export const dropBounding: LaunchStep = {
  name: 'drop-bounding',
  compile(plan, table) {
    const { bounding } = capabilitySets(plan);
    for (let number = 0; number <= lastCapability(); number++)
      if (!bounding.includes(number)) table.call('prctl', [PR.PR_CAPBSET_DROP, number, 0, 0, 0]);
  },
};

/** Step become-user: groups, then gid, then uid; the permitted set is kept across the change for set-capabilities. */
export const becomeUser: LaunchStep = {
  name: 'become-user',
  compile({ user, supplementaryGids }, table) {
    const groups = [...new Set([...(user?.supplementaryGids ?? []), ...supplementaryGids])];
    const list = Buffer.alloc(groups.length * 4);
    groups.forEach((gid, index) => list.writeUInt32LE(gid, index * 4));
    table.call('setgroups', [groups.length, groups.length === 0 ? 0 : table.bytes(list)]);
    if (!user) return;
    table.call('prctl', [PR.PR_SET_KEEPCAPS, 1, 0, 0, 0]);
    table.call('setresgid', [user.gid, user.gid, user.gid]);
    table.call('setresuid', [user.uid, user.uid, user.uid]);
  },
};

/**
 * Step keep-administration: the capabilities of the container, and what mounting its /proc needs besides. Everything else is
 * given up before its pid namespace is entered (threat model N5).
 */
export const keepAdministration: LaunchStep = {
  name: 'keep-administration',
  compile(plan, table) {
    const bits = capabilityBits(administrationAnd(capabilitySets(plan).effective));
    const data = capabilityData({ effective: bits, permitted: bits, inheritable: 0n });
    table.call('capset', [table.bytes(capabilityHeader()), table.bytes(data)]);
    table.call('prctl', [PR.PR_SET_DUMPABLE, 0, 0, 0, 0]);
  },
};

/** Step set-capabilities: all five sets (capabilities(7)), then no-new-privileges. */
export const setCapabilities: LaunchStep = {
  name: 'set-capabilities',
  compile(plan, table) {
    const { bounding, effective, ambient } = capabilitySets(plan);
    // Otherwise an exec by root gives it the whole bounding set again.
    if (effective.length < bounding.length && isRoot(plan))
      table.call('prctl', [PR.PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0]);
    const bits = capabilityBits(effective);
    // A capability is ambient only while it is permitted and inheritable.
    const data = capabilityData({ effective: bits, permitted: bits, inheritable: capabilityBits(ambient) });
    table.call('prctl', [PR.PR_CAP_AMBIENT, PR.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
    table.call('capset', [table.bytes(capabilityHeader()), table.bytes(data)]);
    for (const number of ambient)
      table.call('prctl', [PR.PR_CAP_AMBIENT, PR.PR_CAP_AMBIENT_RAISE, number, 0, 0]);
    if (plan.noNewPrivileges) table.call('prctl', [PR.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
    dieWithSupervisor(table);
  },
};

/** After every change of credentials: it clears the parent-death signal and the dumpable flag (prctl(2)). */
export function dieWithSupervisor(table: LaunchTable): void {
  table.call('prctl', [PR.PR_SET_DUMPABLE, 0, 0, 0, 0]);
  table.call('prctl', [PR.PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
}
