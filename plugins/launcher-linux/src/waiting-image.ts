import { addressBehind, CallTable, Label, Program, RECORD_BYTES } from '@caisson/linux/exec-stage';
import { PR } from '@caisson/linux/syscalls';
import { DESCRIPTOR } from './launch-table.js';

/** The table of a launch is put so many records behind the beginning of the waiting image's own. */
export const LAUNCH_BEHIND = 64;
/** The largest table, data and arguments included, that a waiting image takes. */
export const MOST_LAUNCH_BYTES = 192 * 1024;
/** What comes first: the number of bytes that follow, twice. */
export const LAUNCH_HEADER_BYTES = 16;

const CONTROL_BYTES = 512;
const MSG_WAITALL = 0x100;
const IOVEC_BYTES = 16;
const MSGHDR_BYTES = 56;

/**
 * The image of a supervisor that was started before there was a launch for it: it waits on its socket for descriptors
 * and a table, which it then walks. End of file, when the agent has died or given it up, ends it.
 */
export function waitingImage(): Buffer {
  program ??= new Program(waitingTable(), {
    memory: LAUNCH_BEHIND * RECORD_BYTES + MOST_LAUNCH_BYTES + 4096,
  });
  return program.fill();
}
let program: Program | undefined;

function waitingTable(): CallTable {
  const table = new CallTable();
  table.step('await-launch');
  table.call('close', [DESCRIPTOR.image]);
  // What arrives takes the lowest free numbers: a container's own 0, 1 and 2 come first.
  table.call('close_range', [0, 2, 0]);
  // Nobody of another user may trace it or read its memory (prctl(2)).
  table.call('prctl', [PR.PR_SET_DUMPABLE, 0, 0, 0, 0]);
  const receive = new Label('receive the table');
  const length = table.memory(8);
  // One copy of the length is an argument of the call that follows, the other what its result must be.
  const vector = table.structure(vectorOf(8, 8), { 0: table.operandOf(receive), [IOVEC_BYTES]: length });
  const message = table.structure(messageHeader(), { 16: vector, 32: table.memory(CONTROL_BYTES) });
  table.call('recvmsg', [DESCRIPTOR.status, message, 0], { expect: LAUNCH_HEADER_BYTES });
  table.place(receive);
  const there = addressBehind(LAUNCH_BEHIND);
  table.call('recvfrom', [DESCRIPTOR.status, there, table.valueAt(length), MSG_WAITALL, 0, 0], { expect: 0 });
  const launch = new Label('the launch');
  launch.record = LAUNCH_BEHIND;
  table.jump(launch);
  return table;
}

/** Two `struct iovec`; their addresses are written when the table is assembled. */
function vectorOf(...lengths: number[]): Buffer {
  const vector = Buffer.alloc(lengths.length * IOVEC_BYTES);
  lengths.forEach((length, index) => vector.writeBigUInt64LE(BigInt(length), index * IOVEC_BYTES + 8));
  return vector;
}

/** `struct msghdr` (recvmsg(2)): two parts, and room for descriptors. */
function messageHeader(): Buffer {
  const header = Buffer.alloc(MSGHDR_BYTES);
  header.writeBigUInt64LE(2n, 24);
  header.writeBigUInt64LE(BigInt(CONTROL_BYTES), 40);
  return header;
}
