export { adviceFor } from './advice.js';
export { errnoName, errnoNumber, errnoText } from './errno.js';
export { formatCall, isErrno, SyscallError } from './errors.js';
export { architecture } from './system-call-numbers.js';
