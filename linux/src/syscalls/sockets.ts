import { checked, libc, loadKoffi } from '../libc.js';

const socketpairNative = libc('socketpair', 'int', ['int', 'int', 'int', 'void*']);

const [AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC] = [1, 1, 0o2000000];
const [SOL_SOCKET, SCM_RIGHTS] = [1, 1];
const MSG_NOSIGNAL = 0x4000;
const CMSG_HEADER_BYTES = 16;

const pair = Buffer.alloc(8);

/** socketpair(2): two connected stream sockets, close-on-exec. @throws SyscallError  EMFILE; ENFILE */
export function socketPair(): { ours: number; theirs: number } {
  checked(socketpairNative(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 'socketpair');
  return { ours: pair.readInt32LE(0), theirs: pair.readInt32LE(4) };
}

type Sendmsg = (socket: number, message: object, flags: number) => number | bigint;
interface StructKoffi {
  struct(fields: object): unknown;
  pointer(type: unknown): unknown;
  load(path: string): { func(name: string, result: string, parameters: unknown[]): Sendmsg };
}
let sendmsgNative: Sendmsg | undefined;

/** Anonymous types: koffi's names are global to a process. */
function bindSendmsg(): Sendmsg {
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
  return koffi.load('libc.so.6').func('sendmsg', 'long', ['int', koffi.pointer(msghdr), 'int']);
}

/**
 * sendmsg(2) on a stream socket, with copies of descriptors (unix(7), SCM_RIGHTS). Blocks until all is in the socket.
 *
 * @returns the number of bytes sent
 * @throws SyscallError  EPIPE, ECONNRESET the peer is gone; ETOOMANYREFS
 */
export function sendMessage(socket: number, data: Buffer, descriptors: readonly number[] = []): number {
  sendmsgNative ??= bindSendmsg();
  const control = descriptors.length > 0 ? rightsMessage(descriptors) : null;
  const message = {
    msg_name: null,
    msg_namelen: 0,
    msg_iov: [{ iov_base: data, iov_len: data.length }],
    msg_iovlen: 1,
    msg_control: control,
    msg_controllen: control?.length ?? 0,
    msg_flags: 0,
  };
  const sent = sendmsgNative(socket, message, MSG_NOSIGNAL);
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
