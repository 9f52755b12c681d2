/**
 * What root executes, only root can write (threat model K1): a configuration file, a plugin, and each directory on the
 * way to it, symbolic links resolved, belong to root (or to the user who called sudo) and are writable by nobody else.
 *
 * A sticky directory of root's, such as /tmp, may be on the way to a *directory*: others can neither rename nor remove
 * there what root owns. (sshd refuses such a parent; systemd accepts it; sudo looks at the file alone.) What they can do
 * is add names, so a file directly in it is refused: it may be a hard link. For a plugin, each `node_modules` beside the
 * way counts too, since Node looks for its imports there.
 */
import { lstatSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { dirname, isAbsolute, parse, resolve } from 'node:path';
import { coreErrors } from './errors.js';

export interface TrustPolicy {
  /** Checks nothing if this isn't 0: an ordinary user endangers nobody but himself. */
  readonly uid: number;
  /** The user who called sudo, if one did. */
  readonly sudoUid?: number | undefined;
}

export function currentTrustPolicy(): TrustPolicy {
  const sudoUid = Number(process.env.SUDO_UID ?? Number.NaN);
  return { uid: process.getuid?.() ?? -1, sudoUid: Number.isInteger(sudoUid) ? sudoUid : undefined };
}

export type TrustedKind = 'configuration file' | 'plugin' | 'directory';

/** @throws PATH_UNTRUSTED names the path, what is wrong with which part of it, and how to mend it */
export function requireTrusted(path: string, kind: TrustedKind, policy = currentTrustPolicy()): void {
  if (policy.uid !== 0) return;
  const distrust = findDistrust(resolve(path), kind, policy);
  if (distrust) throw coreErrors.PATH_UNTRUSTED(kind, path, distrust.path, distrust.problem);
}

interface Distrust {
  readonly path: string;
  readonly problem: string;
}

/** `join` of a name, which has nothing to normalise. */
const below = (directory: string, name: string): string =>
  directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;

const MOST_LINKS = 40; // as the kernel: path_resolution(7)

/** Walks from `/` to the path, through symbolic links as the kernel would. */
function findDistrust(path: string, kind: TrustedKind, policy: TrustPolicy): Distrust | undefined {
  const root = parse(path).root;
  let left = path.slice(root.length).split('/').filter(Boolean);
  let at = root;
  let links = 0;
  let parent = lstatSync(at);
  const rootProblem = problemOf(parent, policy);
  if (rootProblem) return { path: at, problem: rootProblem };
  while (left.length > 0) {
    const [name = '', ...rest] = left;
    if (name === '..') {
      at = dirname(at);
      parent = lstatSync(at);
      left = rest;
      continue;
    }
    const next = below(at, name);
    const stat = lstatSync(next);
    if (stat.isSymbolicLink()) {
      links += 1;
      if (links > MOST_LINKS) return { path: next, problem: 'is a loop of symbolic links' };
      // In a sticky directory only its owner can replace a link; elsewhere the directory was found safe.
      if (isSticky(parent) && !isOwned(stat, policy))
        return { path: next, problem: `is a link of uid ${stat.uid}` };
      const target = readlinkSync(next);
      left = [...target.split('/').filter((part) => part && part !== '.'), ...rest];
      if (isAbsolute(target)) {
        at = root;
        parent = lstatSync(root);
      }
      continue;
    }
    const problem = problemOf(stat, policy) ?? problemOfPlace(stat, parent, at);
    if (problem) return { path: next, problem };
    const beside = kind === 'plugin' && stat.isDirectory() ? packagesProblem(next, policy) : undefined;
    if (beside) return beside;
    at = next;
    parent = stat;
    left = rest;
  }
  return undefined;
}

const WRITABLE_BY_OTHERS = 0o002;
const WRITABLE_BY_GROUP = 0o020;
const STICKY = 0o1000;

const isOwned = (stat: Stats, policy: TrustPolicy): boolean => stat.uid === 0 || stat.uid === policy.sudoUid;

/** A directory such as /tmp: root's, for everybody, sticky. */
const isSticky = (stat: Stats): boolean =>
  stat.isDirectory() && stat.uid === 0 && (stat.mode & STICKY) !== 0 && (stat.mode & 0o022) !== 0;

function problemOf(stat: Stats, policy: TrustPolicy): string | undefined {
  if (!isOwned(stat, policy)) return `belongs to uid ${stat.uid}`;
  if (isSticky(stat)) return undefined;
  if (stat.mode & WRITABLE_BY_OTHERS) return 'is writable by everybody';
  // The group root is root's; a user's private group may have other members.
  if (stat.mode & WRITABLE_BY_GROUP && stat.gid !== 0) return `is writable by the group ${stat.gid}`;
  return undefined;
}

function problemOfPlace(stat: Stats, parent: Stats, directory: string): string | undefined {
  return isSticky(parent) && !stat.isDirectory()
    ? `lies in ${directory}, where everybody can put files`
    : undefined;
}

function packagesProblem(directory: string, policy: TrustPolicy): Distrust | undefined {
  const path = below(directory, 'node_modules');
  const stat = statSync(path, { throwIfNoEntry: false });
  const problem = stat && problemOf(stat, policy);
  return problem ? { path, problem: `${problem}, and packages are found there` } : undefined;
}
