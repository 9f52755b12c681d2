/**
 * What this host offers to containers, read from /proc: for a person who wonders why something does not work, and for a
 * report of a bug. Isolators say themselves what they lack (`caisson plugins`); here is what several build on.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { arch, platform, release, userInfo } from 'node:os';

export interface Finding {
  readonly name: string;
  readonly value: string;
}

/** Text of a file of /proc, or undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

export const readText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
};

export function examineHost(): Finding[] {
  const { uid, username } = userInfo();
  const system: Finding[] = [
    { name: 'system', value: `${platform()} ${release()} on ${arch()}, Node.js ${process.versions.node}` },
    { name: 'user', value: uid === 0 ? 'root' : `${username} (uid ${uid}): the launcher linux needs root` },
  ];
  if (platform() !== 'linux') return system;
  return [
    ...system,
    { name: 'namespaces', value: readdirSync('/proc/self/ns').filter(isNamespace).join(' ') },
    { name: 'first image', value: describeMemfd(readText('/proc/sys/vm/memfd_noexec')) },
    { name: 'cgroups', value: describeCgroups(readText('/proc/self/mountinfo') ?? '') },
  ];
}

const isNamespace = (name: string): boolean => !name.endsWith('_for_children');

/** vm.memfd_noexec (since Linux 6.3): 2 refuses to execute what the exec stage is. */
export function describeMemfd(setting: string | undefined): string {
  return setting === '2'
    ? 'an unlinked file in workDir, since vm.memfd_noexec is 2'
    : `a sealed memfd${setting === undefined ? '' : ` (vm.memfd_noexec is ${setting})`}`;
}

/** Which hierarchies are mounted, by their version: mountinfo's fields after ` - ` are type, source, options. */
export function describeCgroups(mountinfo: string): string {
  const mounts = mountinfo.split('\n').map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [type = '', , options = ''] = right.split(' ');
    return { type, target: left.split(' ')[4] ?? '', options: options.split(',') };
  });
  const v2 = mounts.filter(({ type }) => type === 'cgroup2').map(({ target }) => `version 2 at ${target}`);
  const v1 = mounts.filter(({ type }) => type === 'cgroup').map(({ target }) => target.split('/').at(-1));
  const parts = [...v2, ...(v1.length > 0 ? [`version 1: ${v1.join(' ')}`] : [])];
  return parts.join('; ') || 'none is mounted';
}
