/** The two folders of Debian packages that a run is made of: the emulator, and the system of the guest with its kernel. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { unpackedPackages } from './debian-packages.js';
import { makeImage } from './image.js';
import { makeInitramfs } from './initramfs.js';

const EMULATOR = ['qemu-system-x86', 'seabios'];

/** What tests start, and what Caisson's isolators want of a host; libstdc++6 and libatomic1 are Node's. */
const GUEST = [
  ...[
    'linux-image-cloud-amd64',
    'base-files',
    'base-passwd',
    'dash',
    'bash',
    'coreutils',
    'diffutils',
    'findutils',
  ],
  ...[
    'grep',
    'sed',
    'tar',
    'hostname',
    'util-linux',
    'mount',
    'procps',
    'kmod',
    'busybox-static',
    'python3',
    'curl',
  ],
  ...[
    'libstdc++6',
    'libatomic1',
    'iproute2',
    'iptables',
    'e2fsprogs',
    'xfsprogs',
    'btrfs-progs',
    'bubblewrap',
  ],
  ...['crun', 'runc', 'strace'],
];

/** The command that starts qemu with its own libraries and loader: the host's may be older, or another distribution's. */
export function emulator(cache) {
  const root = unpackedPackages(cache, 'emulator', EMULATOR);
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const firmware = ['qemu', 'seabios'].flatMap((name) => ['-L', join(root, 'usr/share', name)]);
  return [
    ...['env', `QEMU_MODULE_DIR=${join(libraries, 'qemu')}`],
    ...[join(root, 'lib64/ld-linux-x86-64.so.2'), '--library-path', libraries],
    ...[join(root, 'usr/bin/qemu-system-x86_64'), ...firmware],
  ];
}

/** Kernel, initramfs and root disk. */
export function guestSystem(cache) {
  const root = unpackedPackages(cache, 'guest', GUEST, finishInstallation);
  const kernelRelease = readdirSync(join(root, 'lib/modules'))[0];
  const files = {
    kernel: join(root, 'boot', `vmlinuz-${kernelRelease}`),
    initramfs: join(cache, 'guest/initramfs'),
    disk: join(cache, 'guest/disk'),
  };
  makeInitramfs(root, kernelRelease, files.initramfs);
  if (!existsSync(files.disk)) makeImage(root, files.disk, { freeMiB: 2048 });
  return { kernelRelease, ...files };
}

/** What the scripts of these packages would have done. */
function finishInstallation(root) {
  const kernelRelease = readdirSync(join(root, 'lib/modules'))[0];
  execFileSync('depmod', ['--basedir', root, kernelRelease]);
  for (const file of ['passwd', 'group']) {
    copyFileSync(join(root, `usr/share/base-passwd/${file}.master`), join(root, 'etc', file));
  }
  for (const directory of ['mnt', 'opt', 'srv', 'usr/local/bin'])
    mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'etc/hostname'), 'caisson-vm\n');
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost caisson-vm\n');
  const links = {
    'usr/sbin/iptables': 'iptables-nft',
    'usr/bin/awk': 'mawk',
    'etc/mtab': '../proc/self/mounts',
  };
  for (const [path, target] of Object.entries(links)) {
    rmSync(join(root, path), { force: true });
    symlinkSync(target, join(root, path));
  }
}
