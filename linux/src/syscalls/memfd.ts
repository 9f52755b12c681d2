import { isErrno } from '../errors.js';
import { checked, libc } from '../libc.js';
import { fcntl } from './files.js';

const memfdCreateNative = libc('memfd_create', 'int', ['const char*', 'uint']);

export const MFD = { MFD_CLOEXEC: 1, MFD_ALLOW_SEALING: 2, MFD_NOEXEC_SEAL: 8, MFD_EXEC: 0x10 } as const;

const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
export const SEAL = { F_SEAL_SEAL: 1, F_SEAL_SHRINK: 2, F_SEAL_GROW: 4, F_SEAL_WRITE: 8 } as const;

/** memfd_create(2). @throws SyscallError  EMFILE; EACCES the kernel refuses executable memfds (vm.memfd_noexec=2) */
export function memfdCreate(name: string, flags: number): number {
  return checked(memfdCreateNative(name, flags), 'memfd_create', { name, flags });
}

let knowsExecFlag = true;

/** A memfd that may be executed and sealed. Kernels before 6.3 don't know MFD_EXEC: there it is the default. */
export function executableMemfd(name: string): number {
  const flags = MFD.MFD_CLOEXEC | MFD.MFD_ALLOW_SEALING;
  if (knowsExecFlag) {
    try {
      return memfdCreate(name, flags | MFD.MFD_EXEC);
    } catch (error) {
      if (!isErrno(error, 'EINVAL')) throw error;
      knowsExecFlag = false;
    }
  }
  return memfdCreate(name, flags);
}

/** Seals against every change: nobody can write to, grow, shrink or unseal it. @throws SyscallError  EPERM; EBUSY mapped writable */
export function sealAll(fd: number): void {
  fcntl(fd, F_ADD_SEALS, SEAL.F_SEAL_SEAL | SEAL.F_SEAL_SHRINK | SEAL.F_SEAL_GROW | SEAL.F_SEAL_WRITE);
}

/** The seals of a memfd. */
export const seals = (fd: number): number => fcntl(fd, F_GET_SEALS);
