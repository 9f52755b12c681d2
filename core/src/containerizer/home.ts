/**
 * Where an owner's state is: the runtime directory itself, or for a program whose containers end with it, a run of its
 * own below `runs/`. A run appears there complete with its owner, by rename(2): whoever collects dead ones never sees
 * one that nobody owns yet.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isForsaken, makerOf } from '../checkpoints/maker.js';
import { claimDirectory, isAbandoned, type Ownership } from '../checkpoints/owner.js';
import { ownMark } from '../checkpoints/process-start.js';
import type { ConfigurationValues } from '../configuration/values.js';
import { randomHex } from '../random.js';
import { requireTrusted } from '../trust.js';
import type { StateDirectories } from './place.js';
import { ensureStateDirectory, PRIVATE, SEARCHABLE } from './state-directory.js';

export interface Home extends StateDirectories {
  /** The one of the configuration: a run lies below it. */
  readonly sharedRuntimeDir: string;
  /** Gives it up; a run is deleted. */
  release(): void;
}

const RUNS = 'runs';
const BEING_MADE = /^new\.(\d*-\d+-\d+)\./;

/** @throws DIRECTORY_IN_USE, DIRECTORY_UNSAFE, PATH_UNTRUSTED, STATE_WRITE_FAILED */
export function openHome({ runtimeDir, workDir }: ConfigurationValues, transient: boolean): Home {
  ensureStateDirectory(runtimeDir, PRIVATE);
  ensureStateDirectory(workDir, SEARCHABLE);
  ensureStateDirectory(join(workDir, 'containers'), SEARCHABLE);
  if (!transient) ensureStateDirectory(join(runtimeDir, 'containers'), PRIVATE);
  for (const directory of [runtimeDir, workDir]) requireTrusted(directory, 'directory');
  const { directory, ownership } = transient ? makeRun(join(runtimeDir, RUNS)) : claimed(runtimeDir);
  return {
    runtimeDir: directory,
    sharedRuntimeDir: runtimeDir,
    workDir,
    release() {
      if (!transient) ownership.release();
      // What could not be undone is found by the next start, once this process is gone.
      else if (namesIn(join(directory, 'containers')).length === 0)
        rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Owned {
  readonly directory: string;
  readonly ownership: Ownership;
}

const claimed = (directory: string): Owned => ({ directory, ownership: claimDirectory(directory) });

function makeRun(runs: string): Owned {
  ensureStateDirectory(runs, PRIVATE);
  const name = randomHex(8);
  const making = join(runs, `new.${makerOf(ownMark())}.${name}`);
  mkdirSync(join(making, 'containers'), { mode: PRIVATE, recursive: true });
  const { ownership } = claimed(making);
  const directory = join(runs, name);
  renameSync(making, directory);
  return { directory, ownership };
}

/** Runs whose owner is gone, claimed by this process. */
export function claimAbandonedRuns(runtimeDir: string): Owned[] {
  const runs = join(runtimeDir, RUNS);
  return namesIn(runs).flatMap((name) => {
    const directory = join(runs, name);
    const making = BEING_MADE.exec(name);
    if (making) {
      if (isForsaken(directory, making[1])) rmSync(directory, { recursive: true, force: true });
      return [];
    }
    return isAbandoned(directory) ? tryClaim(directory) : [];
  });
}

function tryClaim(directory: string): Owned[] {
  try {
    return [claimed(directory)];
  } catch {
    return []; // another one collects it, or has done so
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
