export { SyscallError } from '../errors.js';
export * from './capabilities.js';
export * from './epoll.js';
export * from './files.js';
export * from './flags.js';
export * from './memfd.js';
export * from './mount.js';
export * from './processes.js';
export * from './terminal.js';
