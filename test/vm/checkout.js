import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/packages.js';
import { makeImage } from './image.js';

/** Building and formatting happen outside; the guest's disk is made at every run. */
const LEFT_OUT = [
  ...['.git', '.caisson', 'node_modules/@biomejs', 'node_modules/@typescript', 'node_modules/typescript'],
  ...['node_modules/@esbuild', 'node_modules/esbuild'],
];

/** The guest's second disk: this checkout as it is built, with what is installed in it, and the Node that runs us. */
export function checkoutImage(runFolder) {
  const folder = join(runFolder, 'checkout');
  mkdirSync(folder);
  const script = 'tar -c "$@" . | tar -x -C "$0"';
  const leftOut = LEFT_OUT.map((path) => `--exclude=./${path}`);
  execFileSync('bash', ['-o', 'pipefail', '-c', script, folder, '-C', ROOT, ...leftOut]);
  copyFileSync(process.execPath, join(folder, 'node'));
  const image = join(runFolder, 'checkout.ext4');
  makeImage(folder, image, { freeMiB: 256 });
  rmSync(folder, { recursive: true });
  return image;
}
