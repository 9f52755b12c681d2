import type { LaunchStep } from '../step.js';
import { createDirectory, moveOnto } from './mount-target.js';

const TIOCSCTTY = 0x540e;

/** Step mount-terminals: the container's own devpts, where no isolator has planned one. */
export const mountTerminals: LaunchStep = {
  name: 'mount-terminals',
  needed: ({ stdio, mounts, namespaces }) =>
    stdio === 'terminal' &&
    namespaces.create.includes('mount') &&
    !mounts.some(({ type }) => type === 'devpts'),
  compile(_plan, table) {
    moveOnto(table, table.descriptor('devpts'), createDirectory(table, '/dev/pts', 0o755));
  },
};

/** Step take-terminal: the terminal on descriptors 0 to 2 controls the new session (ioctl_tty(2)). */
export const takeTerminal: LaunchStep = {
  name: 'take-terminal',
  needed: ({ stdio }) => stdio === 'terminal',
  compile(_plan, table) {
    table.call('ioctl', [0, TIOCSCTTY, 0]);
  },
};
