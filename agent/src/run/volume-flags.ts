/** Volumes as flags say them: source, place, and a list of words. What they name, the core checks. */
import { type PersistentVolume, parseBytes, type Volume, type VolumePropagation } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';

const VOLUME_EXAMPLE = '/srv/data:/data:ro';
const TMPFS_EXAMPLE = '/tmp:size=64MB,mode=1777';
const PERSISTENT_EXAMPLE = 'db:data:size=64MB';

/** As mount(8) and docker call them. */
const PROPAGATIONS: Readonly<Record<string, VolumePropagation>> = {
  rprivate: 'private',
  rslave: 'host-to-container',
  rshared: 'bidirectional',
};

/** `ro,size=64MB`; throws FLAG_INVALID for a word that is not known. */
class Words {
  readonly #words: readonly string[];

  constructor(
    text: string | undefined,
    known: readonly string[],
    private readonly refuse: () => Error,
  ) {
    this.#words = text === undefined ? [] : text.split(',');
    const names = this.#words.map((word) => word.split('=')[0] as string);
    if (names.some((name) => !known.includes(name)) || new Set(names).size < names.length) throw refuse();
  }

  has(word: string): boolean {
    return this.#words.includes(word);
  }

  mode(): 'RO' | 'RW' {
    if (this.has('ro') && this.has('rw')) throw this.refuse();
    return this.has('ro') ? 'RO' : 'RW';
  }

  /** What stands behind `name=`. */
  value(name: string): string | undefined {
    return this.#words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  }

  bytes(name: string): number | undefined {
    const text = this.value(name);
    const bytes = text === undefined ? undefined : parseBytes(text);
    if (text !== undefined && bytes === undefined) throw this.refuse();
    return bytes;
  }
}

const invalid = (flag: string, text: string, example: string) => () =>
  errors.FLAG_INVALID(flag, text, example);

/**
 * `/srv/data:/data:ro` is a path of the host, `logs:/var/log` one of the sandbox, `parent:common:/mnt` one of the parent's
 * sandbox. The last part may be left out.
 */
export function volumeOf(text: string): Volume {
  const refuse = invalid('--volume', text, VOLUME_EXAMPLE);
  const [first = '', ...rest] = text.split(':');
  const ofParent = first === 'parent' && rest.length > 1 && !isWords(rest[1]);
  const [path, containerPath, words, ...more] = ofParent ? rest : [first, ...rest];
  if (!path || !containerPath || more.length > 0) throw refuse();
  const given = new Words(words, ['ro', 'rw', ...Object.keys(PROPAGATIONS)], refuse);
  const propagation = Object.entries(PROPAGATIONS).find(([word]) => given.has(word))?.[1];
  const isOnHost = path.startsWith('/');
  if (propagation && !isOnHost) throw refuse();
  return {
    containerPath,
    mode: given.mode(),
    source: isOnHost
      ? { type: 'HOST_PATH', path, ...(propagation && { mountPropagation: propagation }) }
      : { type: 'SANDBOX_PATH', of: ofParent ? 'PARENT' : 'SELF', path },
  };
}

/** `parent:/data:ro` is a directory `parent` of the sandbox. */
const isWords = (text: string | undefined): boolean => text !== undefined && /^(ro|rw|r\w+)(,|$)/.test(text);

/** `/tmp`, `/tmp:size=64MB,mode=1777`. */
export function tmpfsOf(text: string): Volume {
  const refuse = invalid('--tmpfs', text, TMPFS_EXAMPLE);
  const [containerPath, words, ...more] = text.split(':');
  if (!containerPath || more.length > 0) throw refuse();
  const given = new Words(words, ['ro', 'rw', 'size', 'mode'], refuse);
  const limitBytes = given.bytes('size');
  const mode = given.value('mode');
  if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode)) throw refuse();
  return {
    containerPath,
    mode: given.mode(),
    source: {
      type: 'TMPFS',
      ...(limitBytes !== undefined && { limitBytes }),
      ...(mode !== undefined && { permissions: Number.parseInt(mode, 8) }),
    },
  };
}

/** `db:data:size=64MB,role=eng,shared,ro`: the volume, its name in the sandbox, and the rest, of which the size must be there. */
export function persistentVolumeOf(text: string): PersistentVolume {
  const refuse = invalid('--persistent-volume', text, PERSISTENT_EXAMPLE);
  const [id, containerPath, words, ...more] = text.split(':');
  if (!id || !containerPath || more.length > 0) throw refuse();
  const given = new Words(words, ['ro', 'rw', 'size', 'role', 'shared'], refuse);
  const bytes = given.bytes('size');
  if (bytes === undefined) throw refuse();
  const role = given.value('role');
  return {
    disk: bytes / 2 ** 20,
    persistence: { id },
    volume: { containerPath, mode: given.mode() },
    ...(role !== undefined && { role }),
    ...(given.has('shared') && { shared: true }),
  };
}
