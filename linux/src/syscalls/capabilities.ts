/** Capabilities in the kernel's order, without `CAP_` (capabilities(7), include/uapi/linux/capability.h). */
export const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const;
export type CapabilityName = (typeof CAPABILITIES)[number];

/** The number of a capability; undefined for a name that the kernel doesn't have. */
export function capabilityNumber(name: string): number | undefined {
  const number = (CAPABILITIES as readonly string[]).indexOf(name);
  return number < 0 ? undefined : number;
}

const _LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** `struct __user_cap_header_struct` of the calling process (capget(2)). */
export function capabilityHeader(): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(_LINUX_CAPABILITY_VERSION_3, 0);
  return header;
}

/** Two `struct __user_cap_data_struct`: effective, permitted, inheritable, low halves first (capget(2)). */
export function capabilityData(sets: { effective: bigint; permitted: bigint; inheritable: bigint }): Buffer {
  const data = Buffer.alloc(24);
  [sets.effective, sets.permitted, sets.inheritable].forEach((set, index) => {
    data.writeUInt32LE(Number(set & 0xffff_ffffn), index * 4);
    data.writeUInt32LE(Number(set >> 32n), 12 + index * 4);
  });
  return data;
}

/** The bit set of capability numbers. */
export const capabilityBits = (numbers: Iterable<number>): bigint => {
  let bits = 0n;
  for (const number of numbers) bits |= 1n << BigInt(number);
  return bits;
};
