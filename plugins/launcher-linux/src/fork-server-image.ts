import {
  addressBehind,
  CallTable,
  type DataPointer,
  Label,
  Program,
  RECORD_BYTES,
  type ResultReference,
} from '@caisson/linux/exec-stage';
import { AT_FDCWD, CLONE, MOVE_MOUNT, MS, PR, UMOUNT } from '@caisson/linux/syscalls';
import { DESCRIPTOR } from './launch-table.js';
import { createFilesystem, EMPTY_DIRECTORY } from './steps/create-filesystems.js';
import { waitForEnd } from './steps/supervise.js';

/** The table of a launch is put so many records behind the beginning of the fork server's own, which has to end before that. */
export const LAUNCH_BEHIND = 96;
/** The largest table, with data and arguments, that a waiting process takes. */
export const MOST_LAUNCH_BYTES = 192 * 1024;
/** What comes first, of a table and of what fills its slots: the number of bytes that follow, twice. */
export const HEADER_BYTES = 16;
/** A request is the clone flags of the first process, and the descriptors `GIVEN`. */
export const REQUEST_BYTES = 8;

/**
 * Where the descriptors of a request arrive: at the lowest free numbers (unix(7)), since the fork server's own socket takes 0,
 * 1 and 2. The launch itself will come through `socket`.
 */
export const GIVEN = { gate: DESCRIPTOR.gate, report: DESCRIPTOR.report, status: 5, socket: 6 } as const;
/** The mount namespace of the host, for those that go back to it. Behind the numbers where the descriptors of a request arrive. */
export const HOST_MOUNTS = 7;
/** Set in a pid that the report tells: it is the supervisor's. Pids have 22 bits. */
export const SUPERVISOR_BIT = 2 ** 32;

const PID_BYTES = 8;
const SIGKILL = 9;
const MSG_WAITALL = 0x100;
const IOVEC_BYTES = 16;
const MSGHDR_BYTES = 56;
const CMSG_HEADER_BYTES = 16;

/**
 * The fork server: waits for requests on its socket and clones a supervisor for each, as a child of the agent. The supervisor
 * clones the first process of a container, which waits in its new namespaces for the table of a launch, and walks it. Nothing
 * of a launch is ever in the fork server's own memory. End of file, when the agent has died or ended it, ends each of them.
 */
export function forkServerImage(): Buffer {
  program ??= assemble();
  return program.fill();
}
let program: Program | undefined;

function assemble(): Program {
  const own = LAUNCH_BEHIND * RECORD_BYTES;
  const assembled = new Program(forkServerTable(), { memory: own + MOST_LAUNCH_BYTES + 4096 });
  if (assembled.template.length > addressBehind(LAUNCH_BEHIND) - addressBehind(0))
    throw new Error(`the fork server has ${assembled.template.length} bytes: more than ${own}`);
  return assembled;
}

/** Its table, for what fails before there is a first process. */
export function forkServerTable(): CallTable {
  const table = new CallTable();
  const [serve, tell, supervise] = [new Label('serve'), new Label('tell'), new Label('supervise')];
  table.step('start-fork-server');
  table.call('close_range', [DESCRIPTOR.gate, HOST_MOUNTS - 1, 0]);
  // Nobody of another user may trace any of them or read its memory (prctl(2)); clones are born with it.
  table.call('prctl', [PR.PR_SET_DUMPABLE, 0, 0, 0, 0]);
  letGoOfHost(table);
  table.step('fork-supervisor');
  table.place(serve);
  const flags = receiveRequest(table);
  const supervisor = table.call('clone', [CLONE.CLONE_PARENT, 0, 0, 0, 0], { jumpIfNotZero: tell });
  table.call('close_range', [0, 2, 0]);
  table.call('setsid', []);
  table.step('clone-container');
  const container = table.call('clone', [table.valueAt(flags), 0, 0, 0, 0], { jumpIfNotZero: supervise });
  awaitTable(table);
  table.step('supervise');
  table.place(supervise);
  table.call('write', [GIVEN.report, table.addressOf(container), PID_BYTES]);
  for (const fd of [GIVEN.gate, GIVEN.report, GIVEN.socket, HOST_MOUNTS]) table.call('close', [fd]);
  waitForEnd(container, table, { hasDoor: false, statusFile: GIVEN.status });
  table.step('fork-supervisor');
  table.place(tell);
  // Not by the supervisor itself: the agent has to reap it, however early it dies.
  const told = table.compute(supervisor, { add: SUPERVISOR_BIT });
  table.call('write', [GIVEN.report, table.addressOf(told), PID_BYTES], { ignoreFailure: true });
  table.call('close_range', [GIVEN.gate, HOST_MOUNTS - 1, 0]);
  table.jump(serve);
  return table;
}

/**
 * A mount namespace with an empty root and nothing else, which all that it clones begins with: taking the host's tree down, the
 * kernel waits until no processor can still see it, and for each launch that would be the longest wait. The agent's working directory,
 * too, would keep its filesystem busy.
 *
 * Source  pivot_root(2), "pivot_root(".", ".")"
 */
function letGoOfHost(table: CallTable): void {
  const [empty, dot, root] = [table.string(''), table.string('.'), table.string('/')];
  table.call('unshare', [CLONE.CLONE_NEWNS]);
  table.call('mount', [table.string('none'), root, 0, MS.MS_PRIVATE | MS.MS_REC, 0]);
  const tree = createFilesystem(table, EMPTY_DIRECTORY);
  table.call('move_mount', [tree, empty, AT_FDCWD, root, MOVE_MOUNT.F_EMPTY_PATH]);
  table.call('fchdir', [tree]);
  table.call('pivot_root', [dot, dot]);
  table.call('umount2', [dot, UMOUNT.MNT_DETACH]);
  table.call('chdir', [root]);
  table.call('close_range', [DESCRIPTOR.gate, HOST_MOUNTS - 1, 0]);
}

function receiveRequest(table: CallTable): DataPointer {
  const flags = table.memory(REQUEST_BYTES);
  const vector = table.structure(vectorOf(REQUEST_BYTES), { 0: flags });
  // What recvmsg(2) leaves in the header of so many descriptors is the same again.
  const room = controlBytes(Object.keys(GIVEN).length);
  const message = table.structure(messageHeader(1, room), { 16: vector, 32: table.memory(room) });
  table.call('recvmsg', [0, message, 0], { expect: REQUEST_BYTES });
  return flags;
}

/** In the first process, which is born like one of step clone-container. */
function awaitTable(table: CallTable): void {
  // The status file is the supervisor's alone (threat model A6).
  table.call('close', [GIVEN.status]);
  table.call('prctl', [PR.PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  table.call('setsid', []);
  table.call('umask', [0]);
  // Nothing that the table opens shall take the numbers of the standard streams.
  for (const fd of [0, 1, 2]) table.call('dup3', [GIVEN.socket, fd, 0]);
  table.step('await-table');
  const receive = new Label('receive the table');
  const { length } = awaitMessage(table, receive, 0);
  table.place(receive);
  const there = addressBehind(LAUNCH_BEHIND);
  table.call('recvfrom', [GIVEN.socket, there, table.valueAt(length), MSG_WAITALL, 0, 0], { expect: 0 });
  const launch = new Label('the launch');
  launch.record = LAUNCH_BEHIND;
  table.jump(launch);
}

interface AwaitedMessage {
  /** Of what follows the header. */
  readonly length: DataPointer;
  /** What came with it. */
  readonly control: DataPointer;
}

/**
 * Waits for the header of a message, with so many descriptors: the length of what follows. One copy of it is where the pointer
 * leads, for the call at the label; the other is what the result of that call must be.
 */
export function awaitMessage(table: CallTable, receive: Label, descriptors: number): AwaitedMessage {
  const length = table.memory(8);
  const vector = table.structure(vectorOf(8, 8), { 0: table.operandOf(receive), [IOVEC_BYTES]: length });
  const room = descriptors === 0 ? 0 : controlBytes(descriptors);
  // The last descriptor, of four bytes, is read with the four behind it.
  const control = table.memory(room + 8);
  const message = table.structure(messageHeader(2, room), { 16: vector, 32: control });
  table.call('recvmsg', [GIVEN.socket, message, 0], { expect: HEADER_BYTES });
  // Fewer have come where no number was free for the rest (RLIMIT_NOFILE).
  if (descriptors > 0) table.requireEqual(table.valueAt(control), CMSG_HEADER_BYTES + 4 * descriptors);
  return { length, control };
}

/** The number that a descriptor of such a message has got, by its place in it. */
export const descriptorIn = (table: CallTable, control: DataPointer, place: number): ResultReference =>
  table.compute(table.valueAt(control, CMSG_HEADER_BYTES + 4 * place), { mask: 0xffff_ffff });

/** CMSG_SPACE (cmsg(3)). */
const controlBytes = (descriptors: number): number => CMSG_HEADER_BYTES + ((descriptors * 4 + 7) & ~7);

/** `struct iovec`s; their addresses are written when the table is assembled. */
function vectorOf(...lengths: number[]): Buffer {
  const vector = Buffer.alloc(lengths.length * IOVEC_BYTES);
  lengths.forEach((length, index) => vector.writeBigUInt64LE(BigInt(length), index * IOVEC_BYTES + 8));
  return vector;
}

/** `struct msghdr` (recvmsg(2)): so many parts, and room for descriptors. */
function messageHeader(parts: number, controlBytes: number): Buffer {
  const header = Buffer.alloc(MSGHDR_BYTES);
  header.writeBigUInt64LE(BigInt(parts), 24);
  header.writeBigUInt64LE(BigInt(controlBytes), 40);
  return header;
}
