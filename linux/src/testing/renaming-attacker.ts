import { closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { CallTable, Label } from '../exec-stage/call-table.js';
import { Program } from '../exec-stage/program.js';
import { imageMode, sealImage } from '../exec-stage/sealed-image.js';
import { posixSpawn } from '../process/spawn.js';
import { AT_FDCWD } from '../syscalls/flags.js';
import { P_PID, WAIT, waitid } from '../syscalls/processes.js';

const RENAME_EXCHANGE = 2;

/**
 * Exchanges two names as fast as the kernel can, until `stop`: a process that walks a table of one call (renameat2(2)),
 * which is quicker than whatever it races with.
 */
export function exchangeForEver(left: string, right: string): { stop(): void } {
  const table = new CallTable();
  const again = new Label('again');
  table.step('exchange');
  table.place(again);
  const names = [AT_FDCWD, table.string(left), AT_FDCWD, table.string(right), RENAME_EXCHANGE];
  table.call('renameat2', names, { ignoreFailure: true });
  table.jump(again);
  const image = sealImage(new Program(table).fill(), imageMode(), tmpdir());
  const fileActions = [{ dup2: [image, 5] as const }, { closeFrom: 6 }];
  const pid = posixSpawn({ path: '/proc/self/fd/5', argv: ['attacker'], fileActions });
  closeSync(image);
  return {
    stop() {
      process.kill(pid, 'SIGKILL');
      waitid(P_PID, pid, WAIT.WEXITED);
    },
  };
}
