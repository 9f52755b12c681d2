import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

/** An ext4 filesystem in a file, with what a folder holds; everything in it belongs to root if we are. */
export function makeImage(folder, file, { freeMiB = 64 } = {}) {
  const [usedMiB] = execFileSync('du', ['--summarize', '--block-size=MiB', folder], {
    encoding: 'utf8',
  }).match(/\d+/);
  rmSync(file, { force: true });
  const sizeMiB = Math.ceil(Number(usedMiB) * 1.1) + freeMiB;
  // Without lazy_itable_init the guest would write the inode tables while tests run.
  const options = ['-E', 'lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0', '-m', '0'];
  execFileSync('mkfs.ext4', ['-q', ...options, '-d', folder, file, `${sizeMiB}m`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
