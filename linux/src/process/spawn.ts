import { SyscallError } from '../errors.js';
import { libc } from '../libc.js';

/** What the child does between vfork and exec, in order (posix_spawn_file_actions_addopen(3) and its siblings). */
export type FileAction =
  | { readonly dup2: readonly [from: number, to: number] }
  | { readonly close: number }
  /** Closes every descriptor from here on. */
  | { readonly closeFrom: number };

export interface SpawnArguments {
  readonly path: string;
  readonly argv: readonly string[];
  readonly environment?: readonly string[];
  readonly fileActions: readonly FileAction[];
}

const FILE_ACTIONS_BYTES = 256; // posix_spawn_file_actions_t is 80 bytes in glibc
const ATTRIBUTES_BYTES = 512; // posix_spawnattr_t is 336 bytes in glibc
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

const spawnNative = libc('posix_spawn', 'int', [
  'void*',
  'const char*',
  'void*',
  'void*',
  'const char**',
  'const char**',
]);
const actionsInit = libc('posix_spawn_file_actions_init', 'int', ['void*']);
const actionsDestroy = libc('posix_spawn_file_actions_destroy', 'int', ['void*']);
const addDup2 = libc('posix_spawn_file_actions_adddup2', 'int', ['void*', 'int', 'int']);
const addClose = libc('posix_spawn_file_actions_addclose', 'int', ['void*', 'int']);
const addCloseFrom = libc('posix_spawn_file_actions_addclosefrom_np', 'int', ['void*', 'int']);
const attributesInit = libc('posix_spawnattr_init', 'int', ['void*']);
const attributesFlags = libc('posix_spawnattr_setflags', 'int', ['void*', 'short']);
const attributesDefaults = libc('posix_spawnattr_setsigdefault', 'int', ['void*', 'void*']);
const attributesMask = libc('posix_spawnattr_setsigmask', 'int', ['void*', 'void*']);

// posix_spawn blocks: one buffer serves all calls.
const actions = Buffer.alloc(FILE_ACTIONS_BYTES);
const pid = Buffer.alloc(4);
let attributes: Buffer | undefined;

/** A session of its own, every signal at its default and none blocked: Node ignores SIGPIPE and SIGXFSZ (threat model N1, N2). */
function cleanAttributes(): Buffer {
  if (attributes) return attributes;
  attributes = Buffer.alloc(ATTRIBUTES_BYTES);
  attributesInit(attributes);
  attributesFlags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  attributesDefaults(attributes, Buffer.alloc(128, 0xff));
  attributesMask(attributes, Buffer.alloc(128));
  return attributes;
}

function compileActions(fileActions: readonly FileAction[]): void {
  actionsInit(actions);
  for (const action of fileActions) {
    if ('dup2' in action) addDup2(actions, action.dup2[0], action.dup2[1]);
    else if ('close' in action) addClose(actions, action.close);
    else addCloseFrom(actions, action.closeFrom);
  }
}

/**
 * posix_spawn(3): starts `path` in a session of its own with all signals reset; descriptors as the actions leave them.
 * Note that it also returns a pid for a child that was killed before exec (threat model N11).
 *
 * @throws SyscallError  EAGAIN no free process; ENOMEM; what execve(2) says of `path`
 */
export function posixSpawn({ path, argv, environment = [], fileActions }: SpawnArguments): number {
  compileActions(fileActions);
  try {
    const errno = Number(
      spawnNative(pid, path, actions, cleanAttributes(), [...argv, null], [...environment, null]),
    );
    if (errno !== 0) throw new SyscallError('posix_spawn', errno, { path });
    return pid.readInt32LE(0);
  } finally {
    actionsDestroy(actions);
  }
}
