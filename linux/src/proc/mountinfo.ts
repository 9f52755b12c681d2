import { readFileSync } from 'node:fs';

/** One line of proc_pid_mountinfo(5). */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  readonly device: string;
  /** What of the filesystem is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  /** Peer group, if the mount is shared. */
  readonly shared?: number | undefined;
  /** Peer group it receives mounts from, if it is a slave. */
  readonly master?: number | undefined;
  readonly filesystem: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** Spaces, tabs, newlines and backslashes are octal escapes. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

export function parseMountinfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): MountEntry {
  const [front = '', back = ''] = line.split(' - ', 2);
  const [id, parentId, device = '', root = '', mountPoint = '', options = '', ...tags] = front.split(' ');
  const [filesystem = '', source = '', superOptions = ''] = back.split(' ');
  const tag = (name: string) => {
    const found = tags.find((t) => t.startsWith(`${name}:`));
    return found === undefined ? undefined : Number(found.slice(name.length + 1));
  };
  return {
    id: Number(id),
    parentId: Number(parentId),
    device,
    root: unescapeOctal(root),
    mountPoint: unescapeOctal(mountPoint),
    options: options.split(','),
    shared: tag('shared'),
    master: tag('master'),
    filesystem,
    source: unescapeOctal(source),
    superOptions: superOptions.split(','),
  };
}

/** The mounts that a process sees, in mount order. */
export const readMountinfo = (pid: number | 'self' = 'self'): MountEntry[] =>
  parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));

/** True for `directory` itself and what lies below it; compares by component: `/a/box2` is not below `/a/box`. */
export function isBelow(path: string, directory: string): boolean {
  if (directory === '/') return true;
  return path === directory || path.startsWith(`${directory}/`);
}

/** The mount that a path without links lies in, the topmost one of its mount point. */
export const mountHolding = (path: string, table: readonly MountEntry[]): MountEntry | undefined =>
  table
    .filter(({ mountPoint }) => isBelow(path, mountPoint))
    .reduce<MountEntry | undefined>(
      (best, each) => (best && best.mountPoint.length > each.mountPoint.length ? best : each),
      undefined,
    );

/** The mount table of this host, for isolators. */
export class Mounts {
  list(pid: number | 'self' = 'self'): MountEntry[] {
    return readMountinfo(pid);
  }

  /** Mount points at or below a directory, the deepest and latest first: the order to unmount in. */
  below(directory: string): MountEntry[] {
    return this.list()
      .filter((entry) => isBelow(entry.mountPoint, directory))
      .reverse();
  }
}
