import { constants } from 'node:os';
import { addressOf, checked, lastErrno, libc } from '../libc.js';

const sendmsgNative = libc('sendmsg', 'long', ['int', 'uintptr_t', 'int']);
const recvmsgNative = libc('recvmsg', 'long', ['int', 'uintptr_t', 'int']);
const sendNative = libc('send', 'long', ['int', 'void*', 'size_t', 'int']);
const socketpairNative = libc('socketpair', 'int', ['int', 'int', 'int', 'void*']);

const [AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC] = [1, 1, 0o2000000];
const [SOL_SOCKET, SCM_RIGHTS] = [1, 1];
const [MSG_PEEK, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC] = [2, 0x40, 0x4000, 0x40000000];
const { EAGAIN } = constants.errno;
const CMSG_HEADER_BYTES = 16;

const pair = Buffer.alloc(8);

/** socketpair(2): two connected stream sockets, close-on-exec. @throws SyscallError  EMFILE; ENFILE */
export function socketPair(): { ours: number; theirs: number } {
  checked(socketpairNative(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 'socketpair');
  return { ours: pair.readInt32LE(0), theirs: pair.readInt32LE(4) };
}

/**
 * `struct msghdr`, its one `struct iovec`, descriptors and data, in memory that stays where it is: koffi would build the
 * structures anew for each message, which takes ten times as long as the call.
 */
const [MSGHDR, IOVEC, CONTROL, DATA, ROOM] = [0, 64, 128, 2048, 4096] as const;
const [MOST_DESCRIPTORS, MOST_DATA] = [253, ROOM - DATA]; // SCM_MAX_FD (unix(7))
interface Message {
  readonly memory: Buffer;
  readonly message: bigint;
}
let prepared: Message | undefined;

const prepare = (): Message => {
  prepared ??= layOut();
  return prepared;
};

function layOut(): Message {
  const memory = Buffer.alloc(ROOM);
  const message = addressOf(memory);
  memory.writeBigUInt64LE(message + BigInt(IOVEC), MSGHDR + 16);
  memory.writeBigUInt64LE(1n, MSGHDR + 24);
  memory.writeBigUInt64LE(message + BigInt(CONTROL), MSGHDR + 32);
  memory.writeBigUInt64LE(message + BigInt(DATA), IOVEC);
  return { memory, message };
}

/**
 * sendmsg(2) on a stream socket, with copies of descriptors (unix(7), SCM_RIGHTS). Blocks until all is in the socket.
 *
 * @param data         at most 2 KiB
 * @param descriptors  at least one, at most 253
 * @throws SyscallError  EPIPE, ECONNRESET the peer is gone; ETOOMANYREFS
 */
export function sendDescriptors(socket: number, data: Buffer, descriptors: readonly number[]): void {
  if (data.length > MOST_DATA || descriptors.length > MOST_DESCRIPTORS)
    throw new RangeError(`a message of ${data.length} bytes with ${descriptors.length} descriptors`);
  const { memory, message } = prepare();
  data.copy(memory, DATA);
  memory.writeBigUInt64LE(BigInt(data.length), IOVEC + 8);
  const control = CMSG_HEADER_BYTES + descriptors.length * 4;
  memory.writeBigUInt64LE(BigInt(control), CONTROL);
  memory.writeInt32LE(SOL_SOCKET, CONTROL + 8);
  memory.writeInt32LE(SCM_RIGHTS, CONTROL + 12);
  memory.writeBigUInt64LE(BigInt((control + 7) & ~7), MSGHDR + 40);
  descriptors.forEach((fd, index) => memory.writeInt32LE(fd, CONTROL + CMSG_HEADER_BYTES + index * 4));
  const sent = sendmsgNative(socket, message, MSG_NOSIGNAL);
  checked(sent, 'sendmsg', { socket, bytes: data.length, descriptors: descriptors.length });
}

/**
 * send(2) on a stream socket. Blocks until all is in the socket.
 *
 * @returns the number of bytes sent
 * @throws SyscallError  EPIPE, ECONNRESET the peer is gone
 */
export const send = (socket: number, data: Buffer): number =>
  checked(sendNative(socket, data, data.length, MSG_NOSIGNAL), 'send', { socket, bytes: data.length });

/**
 * recvmsg(2) of a message of one byte that brings one descriptor: a copy of it, close-on-exec. Undefined if there is no
 * message. Never blocks.
 *
 * @param peek  the message stays for the next one who asks, and its descriptor open
 * @throws SyscallError  EMFILE
 */
export function receiveDescriptor(socket: number, { peek = false } = {}): number | undefined {
  const { memory, message } = prepare();
  memory.writeBigUInt64LE(1n, IOVEC + 8);
  memory.writeBigUInt64LE(BigInt(CMSG_HEADER_BYTES + 8), MSGHDR + 40);
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0);
  const received = Number(recvmsgNative(socket, message, flags));
  if (received < 0 && lastErrno() === EAGAIN) return undefined;
  checked(received, 'recvmsg', { socket, peek });
  const hasRights = memory.readBigUInt64LE(MSGHDR + 40) > 0n;
  return hasRights ? memory.readInt32LE(CONTROL + CMSG_HEADER_BYTES) : undefined;
}
