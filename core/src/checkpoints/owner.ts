/**
 * Who owns a directory of state: one process at a time. Node has no flock(2), so the claim is a file, made by link(2):
 * complete or not there, and one of many wins.
 *
 * A dead owner's claim is taken over in two steps. `owner` names the dead one by a token; whoever links
 * `takeover.<token>` first may replace `owner`, nobody else. If that one dies before it does, its takeover file names a
 * token of its own, and `takeover.<that>` continues the chain. After it has won, a contender reads the chain again: it may
 * have read `owner` long ago, and the chain it saw may be over.
 */
import { linkSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { coreErrors } from '../errors.js';
import { randomHex } from '../random.js';
import { bootId } from './boot-id.js';
import { isForsaken, isRecent, makerOf } from './maker.js';
import { isAlive, ownMark, type ProcessMark } from './process-start.js';
import { readIfThere } from './state-file.js';

interface Claim extends ProcessMark {
  readonly token: string;
}

export interface Ownership {
  /** Somebody else may own the directory from now on. */
  release(): void;
}

const OWNER = 'owner';
const MADE_BY = /^claim\.(\d*-\d+-\d+)-/;
const takeoverOf = (token: string): string => `takeover.${token}`;

/**
 * Claims a directory for this process.
 *
 * @throws DIRECTORY_IN_USE by a process that is alive, or that cannot be seen from here
 */
export function claimDirectory(directory: string): Ownership {
  const claim: Claim = { ...ownMark(), token: randomHex(8) };
  const file = join(directory, `claim.${makerOf(claim)}-${claim.token}`);
  writeFileSync(file, JSON.stringify(claim), { mode: 0o600, flag: 'wx' });
  try {
    while (!tryClaim(directory, claim, file)) {
      // Another contender was faster: read again who it is.
    }
    collectClaims(directory);
    return { release: () => release(directory, claim) };
  } finally {
    rmSync(file, { force: true });
  }
}

function tryClaim(directory: string, claim: Claim, file: string): boolean {
  if (linked(file, join(directory, OWNER))) return true;
  const chain = readChain(directory);
  if (chain === undefined) return false;
  const last = chain.at(-1)!;
  requireDead(directory, last);
  const takeover = join(directory, takeoverOf(last.token));
  if (!linked(file, takeover)) return false;
  failpoint('owner.taking-over');
  if (!isEndOf(readChain(directory), claim, chain)) {
    rmSync(takeover, { force: true });
    return false;
  }
  renameSync(file, join(directory, OWNER));
  for (const each of chain) rmSync(join(directory, takeoverOf(each.token)), { force: true });
  return true;
}

/** The owner, who was about to take over from it, who from that one, ... Undefined if there is no owner any more. */
function readChain(directory: string): Claim[] | undefined {
  const chain: Claim[] = [];
  for (let name = OWNER; ; name = takeoverOf(chain.at(-1)!.token)) {
    const claim = readClaim(join(directory, name));
    if (claim === undefined) return chain.length > 0 ? chain : undefined;
    chain.push(claim);
  }
}

/** The chain that was seen, ours after it, nothing else. */
const isEndOf = (now: readonly Claim[] | undefined, claim: Claim, seen: readonly Claim[]): boolean =>
  now?.map(({ token }) => token).join() === [...seen, claim].map(({ token }) => token).join();

function requireDead(directory: string, claim: Claim): void {
  const alive = isAlive(claim);
  if (alive === false) return;
  const where = alive === 'unknown' ? ` of another pid namespace (${claim.pidNamespace})` : '';
  throw coreErrors.DIRECTORY_IN_USE(directory, `process ${claim.pid}${where}`);
}

function release(directory: string, claim: Claim): void {
  if (readClaim(join(directory, OWNER))?.token === claim.token)
    rmSync(join(directory, OWNER), { force: true });
}

/** What contenders that were killed have left. */
function collectClaims(directory: string): void {
  for (const name of readdirSync(directory))
    if (name.startsWith('claim.')) {
      const file = join(directory, name);
      const claim = readClaim(file);
      // One that is being written cannot be read yet, and is somebody's.
      if (!claim || (isDamaged(claim) && isBeingWritten(file, name))) continue;
      if (isAlive(claim) === false) rmSync(file, { force: true });
    }
}

const isBeingWritten = (file: string, name: string): boolean =>
  isRecent(file) && !isForsaken(file, MADE_BY.exec(name)?.[1]);

const DAMAGED = 'damaged-';
const isDamaged = ({ token }: Claim): boolean => token.startsWith(DAMAGED);

function linked(file: string, name: string): boolean {
  try {
    linkSync(file, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readClaim(file: string): Claim | undefined {
  const text = readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Linked files are complete; this one was damaged by somebody, and names no living process.
    return { pid: 0, start: '', bootId: '', pidNamespace: '', token: `${DAMAGED}${bootId()}` };
  }
}

/** Whether the owner of a directory is gone. True also if it never had one. */
export function isAbandoned(directory: string): boolean {
  const claim = readClaim(join(directory, OWNER));
  return claim === undefined || isAlive(claim) === false;
}

/** Whether a name in a directory is the claim's, not the state's. */
export const isClaimFile = (name: string): boolean => /^(owner|(claim|takeover)\.[\w-]+)$/.test(name);
