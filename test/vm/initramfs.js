/**
 * The initramfs: busybox, the modules with which Debian's kernel reaches its disk, and guest/init. Debian's own would be
 * made by initramfs-tools, which wants to be installed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpioArchive } from './cpio.js';

const MODULES = ['virtio_pci', 'virtio_blk'];
const DIRECTORY = 0o040755;
const PROGRAM = 0o100755;
const FILE = 0o100644;
const INIT = fileURLToPath(new URL('guest/init', import.meta.url));

export function makeInitramfs(root, kernelRelease, file) {
  const modules = inLoadOrder(join(root, 'lib/modules', kernelRelease), MODULES);
  const archive = cpioArchive([
    ...['bin', 'modules', 'root', 'dev', 'proc'].map((path) => ({ path, mode: DIRECTORY })),
    { path: 'bin/busybox', mode: PROGRAM, content: readFileSync(join(root, 'bin/busybox')) },
    { path: 'init', mode: PROGRAM, content: readFileSync(INIT) },
    ...modules.map((module, at) => ({
      path: `modules/${String(at).padStart(2, '0')}-${basename(module)}`,
      mode: FILE,
      content: readFileSync(module),
    })),
  ]);
  writeFileSync(file, archive);
}

/** The modules' files, each after those that it needs: a line of modules.dep is `file: needed, nearest first`. */
function inLoadOrder(directory, names) {
  const lines = readFileSync(join(directory, 'modules.dep'), 'utf8').split('\n');
  const files = names.flatMap((name) => {
    const [file, needed] = lines.find((line) => line.includes(`/${name}.ko:`)).split(':');
    return [...needed.split(' ').filter(Boolean).reverse(), file];
  });
  return [...new Set(files)].map((path) => join(directory, path));
}
