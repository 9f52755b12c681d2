import type { VolumePropagation } from '../volumes.js';

/** Flags of a mount, as in mount(8). */
export const MOUNT_FLAGS = [
  'ro',
  'nosuid',
  'nodev',
  'noexec',
  'noatime',
  'nodiratime',
  'relatime',
  'strictatime',
] as const;
export type MountFlag = (typeof MOUNT_FLAGS)[number];

/**
 * A mount of the plan. `target` is inside the container: absolute, resolved below its root filesystem, never
 * followed out of it.
 */
export type Mount = FilesystemMount | BindMount;

interface MountBase {
  readonly target: string;
  readonly flags: readonly MountFlag[];
  /** What to create at `target` if nothing is there. Default: a missing target fails the launch. */
  readonly createTarget?: 'directory' | 'file' | undefined;
  /** Skip silently if the target does not exist. */
  readonly optional?: boolean | undefined;
}

/** A new instance of a filesystem: proc, sysfs, tmpfs, devpts, mqueue. */
export interface FilesystemMount extends MountBase {
  readonly type: string;
  readonly source?: string | undefined;
  /** As `fsconfig` takes them, such as { mode: '755' }; a value of true is a flag. */
  readonly options?: Readonly<Record<string, string | true>> | undefined;
}

/** A directory or file of the host, seen in the container too. Flags apply to submounts as well. */
export interface BindMount extends MountBase {
  readonly type: 'bind';
  /** On the host, absolute. Its links are followed. */
  readonly source: string;
  /**
   * The way on from `source`, where that is a directory that a container writes to: no link in it is followed, and none of it
   * leads out.
   */
  readonly below?: string | undefined;
  /** With the mounts below `source`. */
  readonly recursive: boolean;
  /** Who sees what is mounted below it later. Default: the container what the host mounts, where the host's mount is shared. */
  readonly propagation?: VolumePropagation | undefined;
}

export const isBind = (mount: Mount): mount is BindMount => mount.type === 'bind';

/**
 * Things made in the container's root filesystem after the mounts, in order. Paths are inside the container.
 * A node or directory that exists with the same kind is kept.
 */
export type FileOperation =
  | { readonly kind: 'mkdir'; readonly path: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly to: string }
  | {
      readonly kind: 'mknod';
      readonly path: string;
      readonly mode: number;
      readonly type: 'character' | 'block';
      readonly major: number;
      readonly minor: number;
    };
