/** The two folders of Debian packages that a run is made of: the emulator, and the system of the guest with its kernel. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackedPackages } from './debian-packages.js';
import { makeImage } from './image.js';
import { makeInitramfs } from './initramfs.js';

const EMULATOR = 'qemu-system-x86 seabios';

/** What tests start, and what Caisson's isolators want of a host; libstdc++6 and libatomic1 are Node's. */
const GUEST = `
  linux-image-cloud-amd64 kmod base-files base-passwd hostname libstdc++6 libatomic1
  dash bash bsdutils busybox-static coreutils diffutils findutils grep procps sed tar util-linux perl-base python3
  mount e2fsprogs xfsprogs btrfs-progs iproute2 iptables curl bubblewrap crun runc libfaketime
`;

/** The command that starts qemu with its own libraries and loader: the host's may be older, or another distribution's. */
export function emulator(cache) {
  const root = unpackedPackages(cache, 'emulator', words(EMULATOR));
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const firmware = ['qemu', 'seabios'].flatMap((name) => ['-L', join(root, 'usr/share', name)]);
  return [
    ...['env', `QEMU_MODULE_DIR=${join(libraries, 'qemu')}`],
    ...[join(root, 'lib64/ld-linux-x86-64.so.2'), '--library-path', libraries],
    ...[join(root, 'usr/bin/qemu-system-x86_64'), ...firmware],
  ];
}

/** Kernel, initramfs and root disk. */
export function guestSystem(cache, runFolder) {
  const root = unpackedPackages(cache, 'guest', words(GUEST), [finishInstallation, makeDisk]);
  const kernelRelease = readdirSync(join(root, 'lib/modules'))[0];
  const initramfs = join(runFolder, 'initramfs');
  makeInitramfs(root, kernelRelease, initramfs);
  return {
    kernelRelease,
    kernel: join(root, `boot/vmlinuz-${kernelRelease}`),
    initramfs,
    disk: diskOf(root),
  };
}

const diskOf = (root) => join(root, '../disk');

const makeDisk = (root) => makeImage(root, diskOf(root), { freeMiB: 2048 });

/** What the scripts of these packages would have done. */
function finishInstallation(root) {
  const kernelRelease = readdirSync(join(root, 'lib/modules'))[0];
  execFileSync('depmod', ['--basedir', root, kernelRelease]);
  for (const file of ['passwd', 'group']) {
    copyFileSync(join(root, `usr/share/base-passwd/${file}.master`), join(root, 'etc', file));
  }
  for (const directory of ['media', 'mnt', 'opt/caisson', 'srv', 'usr/local/bin'])
    mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'etc/hostname'), 'caisson-vm\n');
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost caisson-vm\n');
  const links = {
    'usr/sbin/iptables': 'iptables-nft',
    'usr/sbin/iptables-save': 'iptables-nft-save',
    'usr/bin/awk': 'mawk',
    'etc/mtab': '../proc/self/mounts',
  };
  for (const [path, target] of Object.entries(links)) {
    rmSync(join(root, path), { force: true });
    symlinkSync(target, join(root, path));
  }
}

const words = (text) => text.trim().split(/\s+/);
