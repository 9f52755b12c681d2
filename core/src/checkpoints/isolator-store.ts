import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoints, type Logger, messageOf } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { readState, setAside, writeState } from './state-file.js';

/** In a container's runtime directory, one per isolator. Names hold no `+`, so two of them never become one. */
const fileNameOf = (owner: string): string => `isolator.${owner.replaceAll('/', '+')}.json`;

/**
 * The store of one isolator: a file in each container's runtime directory, gone with it.
 *
 * `set` for a container that this process doesn't know throws; `get` and `delete` accept it, for `cleanup` must.
 */
export class IsolatorStore implements Checkpoints {
  constructor(
    private readonly owner: string,
    private readonly directoryOf: (containerId: string) => string | undefined,
    private readonly log: Logger,
  ) {}

  get(containerId: string): unknown {
    const file = this.#file(containerId);
    if (file === undefined) return undefined;
    try {
      return readState(file, (content) => content);
    } catch (error) {
      const problem = coreErrors.STATE_UNREADABLE(file, messageOf(error), setAside(file));
      this.log.error({ container: containerId, hint: problem.hint }, problem.message);
      return undefined;
    }
  }

  set(containerId: string, value: unknown): void {
    const file = this.#file(containerId);
    if (file === undefined) throw coreErrors.CONTAINER_UNKNOWN(containerId);
    writeState(file, JSON.stringify(value ?? null));
  }

  delete(containerId: string): void {
    const file = this.#file(containerId);
    if (file !== undefined) rmSync(file, { force: true });
  }

  #file(containerId: string): string | undefined {
    const directory = this.directoryOf(containerId);
    return directory === undefined ? undefined : join(directory, fileNameOf(this.owner));
  }
}
