/**
 * The kernel tests on a second kernel: boots Debian's own (6.1 in Debian 12, with nothing but cgroup v2) in an emulated
 * machine and runs `*.kernel.test.js` of every package there, or those whose path an argument begins or goes on with:
 *
 *     npm run test:vm
 *     npm run test:vm -- plugins/cgroups-cpu plugins/cgroups-mem
 *
 * Needs what any Debian has (apt-get, dpkg-deb, tar, mkfs.ext4, depmod, setpriv), not root, no virtualisation, and the
 * network on the first run: 120 MB of Debian packages are kept, unpacked, in ~/.cache/caisson-vm. The repository must be built.
 *
 * The last line is `N passed, N failed, N skipped`; the status is 0 if something passed and nothing failed.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { checkoutImage } from './checkout.js';
import { kernelTests } from './kernel-tests.js';
import { runMachine } from './machine.js';
import { figures, total } from './results.js';
import { emulator, guestSystem } from './systems.js';

const cache =
  process.env.CAISSON_VM_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'caisson-vm');

/** A file during which the machine hangs or dies has failed; those after it get a new machine. */
async function runAll(files, machine) {
  const results = [];
  let left = files;
  while (left.length > 0) {
    const ran = await runMachine({ ...machine, files: left });
    if (ran.length === 0) throw new Error('the machine began no test: see above');
    results.push(...ran);
    left = left.filter((file) => !results.some((result) => result.file === file));
  }
  return total(results);
}

async function main(filters) {
  const files = kernelTests(filters);
  if (files.length === 0)
    throw new Error(`no built kernel test has ${filters.join(' or ')} in its path: npm run build?`);
  mkdirSync(cache, { recursive: true });
  const runFolder = ownFolder();
  const guest = guestSystem(cache, runFolder);
  console.log(`Linux ${guest.kernelRelease}, emulated, ${files.length} files`);
  return runAll(files, { runFolder, qemu: emulator(cache), guest, checkout: checkoutImage(runFolder) });
}

/** A folder of this run. Those of runs that were killed are removed. */
function ownFolder() {
  const runs = readdirSync(cache).filter((name) => name.startsWith('run-'));
  const ended = runs.filter((name) => !existsSync(`/proc/${name.slice('run-'.length)}`));
  for (const name of ended) rmSync(join(cache, name), { recursive: true });
  const folder = join(cache, `run-${process.pid}`);
  mkdirSync(folder);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const result = await main(process.argv.slice(2));
console.log(figures(result));
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1;
