/** The ioctls of btrfs that quotas need, as include/uapi/linux/btrfs.h and btrfs_tree.h have them. */
import { ioctl } from '@caisson/linux/syscalls';

const BTRFS_IOC_SUBVOL_CREATE = 0x5000940e;
const BTRFS_IOC_TREE_SEARCH_V2 = 0xc0709411;
const BTRFS_IOC_INO_LOOKUP = 0xd0009412;
const BTRFS_IOC_QGROUP_CREATE = 0x4010942a;
const BTRFS_IOC_QGROUP_LIMIT = 0x8030942b;

/** `struct btrfs_ioctl_vol_args`: a descriptor, and a name. */
const VOL_ARGS_BYTES = 4096;
const VOL_NAME = 8;

/** Makes a subvolume in a directory. @throws SyscallError  EEXIST; EPERM */
export function createSubvolume(directory: number, name: string): void {
  const argument = Buffer.alloc(VOL_ARGS_BYTES);
  argument.write(name, VOL_NAME);
  ioctl(directory, BTRFS_IOC_SUBVOL_CREATE, argument);
}

/** The subvolume that a file or directory is in: `struct btrfs_ioctl_ino_lookup_args`. @throws SyscallError  ENOTTY no btrfs */
export function subvolumeOf(fd: number): number {
  const argument = Buffer.alloc(4096);
  // The root directory of a subvolume has this number, and looking it up gives nothing but the subvolume.
  argument.writeBigUInt64LE(BTRFS_FIRST_FREE_OBJECTID, 8);
  ioctl(fd, BTRFS_IOC_INO_LOOKUP, argument);
  return Number(argument.readBigUInt64LE(0));
}

export const BTRFS_FIRST_FREE_OBJECTID = 256n;
const NO_LIMIT = 2n ** 64n - 1n;
const BTRFS_QGROUP_LIMIT_MAX_RFER = 1n;

/** How much a subvolume may refer to; undefined takes the limit away. @throws SyscallError  ENOENT no such qgroup; ENOTCONN quotas are off */
export function limitSubvolume(fd: number, subvolume: number, bytes: number | undefined): void {
  const argument = Buffer.alloc(48);
  argument.writeBigUInt64LE(BigInt(subvolume), 0);
  argument.writeBigUInt64LE(BTRFS_QGROUP_LIMIT_MAX_RFER, 8);
  argument.writeBigUInt64LE(bytes === undefined ? NO_LIMIT : BigInt(bytes), 16);
  ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, argument);
}

/** Forgets the count of a subvolume that is gone. @throws SyscallError  EBUSY it is not gone yet, or its count is not yet committed as zero (6.1); ENOENT */
export function destroyQgroup(fd: number, subvolume: number): void {
  const argument = Buffer.alloc(16);
  argument.writeBigUInt64LE(BigInt(subvolume), 8);
  ioctl(fd, BTRFS_IOC_QGROUP_CREATE, argument);
}

/** Items of a tree are in the order of their keys: object, then type, then offset. */
export interface TreeKey {
  readonly object: bigint;
  readonly type: number;
  readonly offset: bigint;
}

export interface TreeItem extends TreeKey {
  readonly data: Buffer;
}

export const ROOT_TREE = 1n;
export const QUOTA_TREE = 8n;
export const ROOT_ITEM_KEY = 132;
export const ROOT_REF_KEY = 156;
export const QGROUP_STATUS_KEY = 240;
export const QGROUP_INFO_KEY = 242;

/** Holds three thousand qgroups. */
const RESULT_BYTES = 256 * 1024;
const KEY_BYTES = 104;
const HEADER_BYTES = 32;
const MAX_U64 = 2n ** 64n - 1n;

// Calls block, so one buffer serves all of them.
const searchArgument = Buffer.alloc(KEY_BYTES + 8 + RESULT_BYTES);

/** Items of one type, of a tree as it was last committed. */
export interface TreeSearch {
  readonly tree: bigint;
  readonly type: number;
  readonly firstObject: bigint;
  /** Default: the first. */
  readonly lastObject?: bigint;
  readonly firstOffset?: bigint;
  readonly lastOffset?: bigint;
}

/** @throws SyscallError  ENOENT no such tree; EPERM no CAP_SYS_ADMIN */
export function searchTree(fd: number, search: TreeSearch): TreeItem[] {
  const { tree, type, firstObject, lastObject = firstObject } = search;
  const { firstOffset = 0n, lastOffset = MAX_U64 } = search;
  const last: TreeKey = { object: lastObject, type, offset: lastOffset };
  const found: TreeItem[] = [];
  let first: TreeKey | undefined = { object: firstObject, type, offset: firstOffset };
  while (first) {
    const items = searchOnce(fd, tree, first, last);
    // Between two objects there are items of other types.
    found.push(...items.filter((each) => each.type === type));
    first = after(items.at(-1));
  }
  return found;
}

/** The key after that of an item; undefined after the last item. */
function after(item: TreeItem | undefined): TreeKey | undefined {
  if (!item) return undefined;
  const { object, type, offset } = item;
  if (offset < MAX_U64) return { object, type, offset: offset + 1n };
  return type < 255 ? { object, type: type + 1, offset: 0n } : { object: object + 1n, type: 0, offset: 0n };
}

/** `struct btrfs_ioctl_search_args_v2`: the key, the size of the buffer, the buffer. */
function searchOnce(fd: number, tree: bigint, first: TreeKey, last: TreeKey): TreeItem[] {
  const argument = searchArgument;
  argument.fill(0, 0, KEY_BYTES);
  [tree, first.object, last.object, first.offset, last.offset, 0n, MAX_U64].forEach((value, index) => {
    argument.writeBigUInt64LE(value, index * 8);
  });
  [first.type, last.type, 0xffff_ffff].forEach((value, index) => {
    argument.writeUInt32LE(value, 56 + index * 4);
  });
  argument.writeBigUInt64LE(BigInt(RESULT_BYTES), KEY_BYTES);
  ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, argument);
  return itemsOf(argument.subarray(KEY_BYTES + 8), argument.readUInt32LE(64));
}

/** Each after its `struct btrfs_ioctl_search_header`: transid, objectid, offset, type, length. */
function itemsOf(buffer: Buffer, count: number): TreeItem[] {
  const items: TreeItem[] = [];
  for (let at = 0; items.length < count; ) {
    const length = buffer.readUInt32LE(at + 28);
    const start = at + HEADER_BYTES;
    items.push({
      object: buffer.readBigUInt64LE(at + 8),
      offset: buffer.readBigUInt64LE(at + 16),
      type: buffer.readUInt32LE(at + 24),
      data: Buffer.from(buffer.subarray(start, start + length)),
    });
    at = start + length;
  }
  return items;
}
