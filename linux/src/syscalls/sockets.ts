import { constants } from 'node:os';
import { checked, lastErrno, libc, loadKoffi } from '../libc.js';

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

type MessageCall = (socket: number, message: object, flags: number) => number | bigint;
interface StructKoffi {
  struct(fields: object): unknown;
  pointer(type: unknown): unknown;
  load(path: string): { func(name: string, result: string, parameters: unknown[]): MessageCall };
}
interface MessageCalls {
  readonly send: MessageCall;
  readonly receive: MessageCall;
}
let native: MessageCalls | undefined;

/** Anonymous types: koffi's names are global to a process. */
function bindMessageCalls(): MessageCalls {
  const koffi = loadKoffi() as unknown as StructKoffi;
  const iovec = koffi.struct({ iov_base: 'void*', iov_len: 'size_t' });
  const msghdr = koffi.struct({
    msg_name: 'void*',
    msg_namelen: 'uint32',
    msg_iov: koffi.pointer(iovec),
    msg_iovlen: 'size_t',
    msg_control: 'void*',
    msg_controllen: 'size_t',
    msg_flags: 'int',
  });
  const parameters = ['int', koffi.pointer(msghdr), 'int'];
  const library = koffi.load('libc.so.6');
  return {
    send: library.func('sendmsg', 'long', parameters),
    receive: library.func('recvmsg', 'long', parameters),
  };
}

/** `struct msghdr` (recvmsg(2)) of one part. */
const messageOf = (data: Buffer, control: Buffer | null): object => ({
  msg_name: null,
  msg_namelen: 0,
  msg_iov: [{ iov_base: data, iov_len: data.length }],
  msg_iovlen: 1,
  msg_control: control,
  msg_controllen: control?.length ?? 0,
  msg_flags: 0,
});

/**
 * sendmsg(2) on a stream socket, with copies of descriptors (unix(7), SCM_RIGHTS). Blocks until all is in the socket.
 *
 * @returns the number of bytes sent
 * @throws SyscallError  EPIPE, ECONNRESET the peer is gone; ETOOMANYREFS
 */
export function sendMessage(socket: number, data: Buffer, descriptors: readonly number[] = []): number {
  native ??= bindMessageCalls();
  const control = descriptors.length > 0 ? rightsMessage(descriptors) : null;
  const sent = native.send(socket, messageOf(data, control), MSG_NOSIGNAL);
  return checked(sent, 'sendmsg', { socket, bytes: data.length, descriptors: descriptors.length });
}

/** `struct cmsghdr` and the descriptors behind it (cmsg(3)). */
function rightsMessage(descriptors: readonly number[]): Buffer {
  const length = CMSG_HEADER_BYTES + descriptors.length * 4;
  const control = Buffer.alloc((length + 7) & ~7);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  descriptors.forEach((fd, index) => control.writeInt32LE(fd, CMSG_HEADER_BYTES + index * 4));
  return control;
}

/**
 * recvmsg(2) of a message of one byte that brings one descriptor: a copy of it, close-on-exec. Undefined if there is no
 * message. Never blocks.
 *
 * @param peek  the message stays for the next one who asks, and its descriptor open
 * @throws SyscallError  EMFILE
 */
export function receiveDescriptor(socket: number, { peek = false } = {}): number | undefined {
  native ??= bindMessageCalls();
  const control = Buffer.alloc(CMSG_HEADER_BYTES + 8);
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0);
  const received = Number(native.receive(socket, messageOf(Buffer.alloc(1), control), flags));
  if (received < 0 && lastErrno() === EAGAIN) return undefined;
  checked(received, 'recvmsg', { socket, peek });
  const hasRights = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  return hasRights ? control.readInt32LE(CMSG_HEADER_BYTES) : undefined;
}
