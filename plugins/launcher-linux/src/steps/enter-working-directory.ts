import type { LaunchStep } from '../step.js';

const LONGEST_PATH = 4096;
const SLASH = 0x2f;

/**
 * Step enter-working-directory: as the container's user. A directory that is not below the container's root shows as
 * `(unreachable)...` (getcwd(2)): then a descriptor of the host led there (threat model N3: CVE-2024-21626).
 */
export const enterWorkingDirectory: LaunchStep = {
  name: 'enter-working-directory',
  compile(_plan, table) {
    table.call('chdir', [table.slot('workingDirectory')]);
    const path = table.memory(LONGEST_PATH);
    table.call('getcwd', [path, LONGEST_PATH]);
    table.requireEqual(table.valueAt(path), SLASH, { mask: 0xff });
  },
};
