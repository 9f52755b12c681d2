import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** What an image may have where a launch mounts something; `outside` is a directory of the host. */
export const KINDS: Readonly<Record<string, (place: string, outside: string) => void>> = {
  'an absolute link to the host': (place, outside) => symlinkSync(outside, place),
  'a relative link to the host': (place, outside) => symlinkSync(relative(dirname(place), outside), place),
  'a deep chain of ..': (place, outside) => symlinkSync(`${'../'.repeat(64)}${outside.slice(1)}`, place),
  'a link to /': (place) => symlinkSync('/', place),
  'a link to a magic link': (place) => symlinkSync('/proc/self/root', place),
  'a link to itself': (place) => symlinkSync(place.slice(place.lastIndexOf('/') + 1), place),
  'a file': (place) => writeFileSync(place, ''),
  'a FIFO': (place) => {
    spawnSync('mkfifo', [place]);
  },
};

/** Puts it there, whatever was there before. */
export function plant(rootfs: string, path: string, kind: string, outside: string): void {
  const place = join(rootfs, path);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(dirname(place), { recursive: true });
  KINDS[kind]?.(place, outside);
}

/** A directory of the host that an attack would reach. */
export function makeOutside(directory: string): string {
  mkdirSync(join(directory, 'sub'), { recursive: true });
  for (const path of ['canary', 'sub/canary']) writeFileSync(join(directory, path), 'of the host\n');
  return directory;
}

/** Every file below, with what a change of it would show in. */
export function snapshot(directory: string): string[] {
  const lines = (readdirSync(directory, { recursive: true }) as string[]).sort().map((path) => {
    const { mode, uid, gid, nlink, mtimeMs, ctimeMs } = lstatSync(join(directory, path));
    const content = (mode & 0o170000) === 0o100000 ? readFileSync(join(directory, path), 'utf8') : '';
    return [path, mode.toString(8), uid, gid, nlink, mtimeMs, ctimeMs, content].join(' ');
  });
  return [String(lstatSync(directory).ctimeMs), ...lines];
}

/** Device nodes in a directory of the host. */
export const devicesIn = (directory: string): string[] =>
  spawnSync('find', [directory, '-xdev', '(', '-type', 'c', '-o', '-type', 'b', ')'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean);
