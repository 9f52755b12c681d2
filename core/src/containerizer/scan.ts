/** The containers that a runtime directory knows, parents before children. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ContainerId, type Logger, messageOf, parseContainerId } from '@caisson/plugin-sdk';
import { type FoundRecord, readRecord } from '../checkpoints/record.js';
import { collectTemporaries, isSetAside, setAside } from '../checkpoints/state-file.js';
import { coreErrors } from '../errors.js';
import { type Place, placeOf, type StateDirectories } from './place.js';

export interface FoundContainer {
  readonly id: ContainerId;
  readonly place: Place;
  readonly parentId: ContainerId | undefined;
  /** Undefined for an orphan: a directory without a record. */
  readonly found: FoundRecord | undefined;
}

export function scan(directories: StateDirectories, log: Logger): FoundContainer[] {
  return [...scanBelow(directories, undefined, directories.runtimeDir, log)];
}

function* scanBelow(
  directories: StateDirectories,
  parent: FoundContainer | undefined,
  directory: string,
  log: Logger,
): Generator<FoundContainer> {
  for (const name of namesIn(join(directory, 'containers'))) {
    const id = idOf(parent?.id, name, log);
    if (id === undefined) continue;
    const place = placeOf(id, directories, parent?.place);
    const container = findAt(id, parent, place, log);
    if (!container) continue;
    yield container;
    yield* scanBelow(directories, container, place.runtimeDirectory, log);
  }
}

function findAt(
  id: ContainerId,
  parent: FoundContainer | undefined,
  place: Place,
  log: Logger,
): FoundContainer | undefined {
  const before = readdirSync(place.runtimeDirectory);
  // What an earlier recovery has set aside waits for somebody to look at it; nothing is left to recover.
  if (before.length > 0 && before.every(isSetAside)) return undefined;
  collectTemporaries(place.runtimeDirectory);
  const found = readRecord(place.runtimeDirectory, (file, error) => {
    const problem = coreErrors.STATE_UNREADABLE(file, messageOf(error), setAside(file));
    log.error({ container: id, hint: problem.hint }, problem.message);
  });
  const sandbox = found?.record.sandbox ?? place.sandbox;
  const guard = parent?.place.guard ?? dirname(sandbox);
  return { id, parentId: parent?.id, found, place: { ...place, sandbox, guard } };
}

function idOf(parentId: ContainerId | undefined, name: string, log: Logger): ContainerId | undefined {
  try {
    // `a.b` in one directory would be a nested container's id.
    parseContainerId(name.replaceAll('.', '/'));
    return parentId === undefined ? name : `${parentId}.${name}`;
  } catch {
    log.warn({ directory: name }, 'a directory of the state is no container; it is left alone');
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}
