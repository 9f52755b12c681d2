import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** The largest uid or gid: 2^32-1 means "unchanged" to the kernel. */
const LARGEST_ID = 2 ** 32 - 2;
const LARGEST_FILE = 1024 * 1024;

export interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** passwd(5); lines that don't parse are left out. */
export function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    return name && isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [];
  });
}

/** group(5); lines that don't parse are left out. */
export function parseGroup(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.split(':');
    return name && isId(gid) ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }] : [];
  });
}

const isId = (text: string): boolean => /^\d{1,10}$/.test(text) && Number(text) <= LARGEST_ID;

/** Reads a user database: a regular file of at most 1 MiB (threat model F9). */
export function readDatabase(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error(`${path} is not a regular file`);
    if (stat.size > LARGEST_FILE) throw new Error(`${path} is larger than 1 MiB`);
    const content = Buffer.alloc(stat.size);
    return content.toString('utf8', 0, readSync(fd, content, 0, stat.size, 0));
  } finally {
    closeSync(fd);
  }
}

export interface UserDatabase {
  readonly users: readonly PasswdEntry[];
  readonly groups: readonly GroupEntry[];
}

export const hostUsers = (): UserDatabase => ({
  users: parsePasswd(readDatabase('/etc/passwd')),
  groups: parseGroup(readDatabase('/etc/group')),
});

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
  readonly name?: string | undefined;
  readonly home?: string | undefined;
}

/**
 * Resolves `user`, `uid`, `user:group` or `uid:gid`. A number is a number, never retried as a name; a uid without
 * an entry has gid 0 unless a group is given. Returns the reason as a string if it can't be resolved.
 */
export function resolveUser(spec: string, { users, groups }: UserDatabase): UserIds | string {
  const [userPart = '', groupPart, ...rest] = spec.split(':');
  if (rest.length > 0 || userPart === '' || groupPart === '')
    return 'it must be like "user", "user:group", "1000" or "1000:1000"';
  const numeric = /^-?\d+$/.test(userPart);
  if (numeric && !isId(userPart)) return `a uid is between 0 and ${LARGEST_ID}`;
  const entry = numeric
    ? users.find((u) => u.uid === Number(userPart))
    : users.find((u) => u.name === userPart);
  if (!numeric && !entry) return `there is no user ${JSON.stringify(userPart)} in /etc/passwd`;
  const gid = groupPart === undefined ? (entry?.gid ?? 0) : groupId(groupPart, groups);
  if (typeof gid === 'string') return gid;
  const supplementaryGids =
    entry && groupPart === undefined
      ? groups.filter((g) => g.members.includes(entry.name) && g.gid !== gid).map((g) => g.gid)
      : [];
  return {
    uid: entry?.uid ?? Number(userPart),
    gid,
    supplementaryGids,
    name: entry?.name,
    home: entry?.home,
  };
}

function groupId(text: string, groups: readonly GroupEntry[]): number | string {
  if (/^-?\d+$/.test(text)) return isId(text) ? Number(text) : `a gid is between 0 and ${LARGEST_ID}`;
  return (
    groups.find((g) => g.name === text)?.gid ?? `there is no group ${JSON.stringify(text)} in /etc/group`
  );
}
