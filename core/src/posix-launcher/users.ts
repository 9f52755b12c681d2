import { readFileSync } from 'node:fs';
import type { ResolvedUser } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';

/** The largest uid or gid: 2^32-1 means "unchanged" to the kernel. */
const LARGEST_ID = 2 ** 32 - 2;

type Entry = readonly string[];

export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

export const HOST_USERS: UserFiles = { passwd: '/etc/passwd', group: '/etc/group' };

/**
 * `user`, `uid`, `user:group` or `uid:gid`, from passwd(5) and group(5). A number is a number, never tried as a name; a
 * uid without an entry has gid 0 unless a group is given. Supplementary groups stay behind: Node's spawn drops them all.
 *
 * @throws USER_UNKNOWN
 */
export function resolveUser(spec: string, files: UserFiles = HOST_USERS): ResolvedUser {
  const [userPart = '', groupPart, ...rest] = spec.split(':');
  if (rest.length > 0 || userPart === '' || groupPart === '')
    throw coreErrors.USER_UNKNOWN(spec, 'write "user", "user:group", "1000" or "1000:1000"');
  const entry = entriesOf(files.passwd).find((each) => (isNumber(userPart) ? each[2] : each[0]) === userPart);
  if (!entry && !isNumber(userPart))
    throw coreErrors.USER_UNKNOWN(spec, `there is no such user in ${files.passwd}`);
  return {
    uid: idOf(spec, entry?.[2] ?? userPart),
    gid: groupPart === undefined ? idOf(spec, entry?.[3] ?? '0') : groupOf(spec, groupPart, files),
    supplementaryGids: [],
    name: entry?.[0],
    home: entry?.[5],
  };
}

function groupOf(spec: string, group: string, { group: file }: UserFiles): number {
  if (isNumber(group)) return idOf(spec, group);
  const entry = entriesOf(file).find(([name]) => name === group);
  if (!entry) throw coreErrors.USER_UNKNOWN(spec, `there is no such group in ${file}`);
  return idOf(spec, entry[2] ?? '');
}

const isNumber = (text: string): boolean => /^-?\d+$/.test(text);

function idOf(spec: string, text: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (id <= LARGEST_ID) return id;
  throw coreErrors.USER_UNKNOWN(spec, `an id is between 0 and ${LARGEST_ID}`);
}

const entriesOf = (file: string): Entry[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name]) => name);
