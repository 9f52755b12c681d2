/** Containers of the real core, launcher and isolators, below one temporary directory. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// Loaded before plugins are, all at once: Jest cannot link one module for two of them at the same time.
import '@caisson/linux/cgroups';
import '@caisson/linux/exec-stage';
import '@caisson/linux/proc';
import '@caisson/linux/process';
import '@caisson/linux/syscalls';
import { Containerizer, loadConfiguration } from '@caisson/core';
import type { ContainerConfig, Logger, Termination } from '@caisson/plugin-sdk';
import { repository } from './caisson.js';

export interface ContainersOptions {
  readonly isolation: readonly string[];
  readonly launcher?: string;
  /** By isolator. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** As given on the command line, by name. */
  readonly flags?: Readonly<Record<string, string | boolean>>;
  /** Where sandboxes are. Default: below `directory`. */
  readonly workDir?: string;
  /** Default: an own one, gone with `close`. */
  readonly directory?: string;
}

export interface Finished extends Termination {
  readonly stdout: string;
  readonly stderr: string;
}

/** A line of the log: level, fields, message. */
export type LogLine = readonly [level: string, fields: object, message: string];

export class Containers {
  private constructor(
    readonly core: Containerizer,
    readonly directory: string,
    readonly log: readonly LogLine[],
  ) {}

  static async open(options: ContainersOptions): Promise<Containers> {
    const { isolation, launcher = 'linux', directory = newDirectory(), flags = {} } = options;
    // What waits for the next launch would look like a leak of the one before.
    const launcherOptions = launcher === 'linux' ? { 'launcher/linux': { forkServer: false } } : {};
    const given = Object.entries({ ...launcherOptions, ...options.options }).flatMap(([isolator, values]) =>
      Object.entries(values).map(([option, value]) => `${isolator}.${option}=${JSON.stringify(value)}`),
    );
    const configuration = await loadConfiguration({
      directory: repository,
      environment: {},
      flags: {
        isolation,
        launcher,
        option: given,
        workDir: options.workDir ?? join(directory, 'work'),
        runtimeDir: join(directory, 'run'),
        ...flags,
      },
    });
    const lines: LogLine[] = [];
    return new Containers(await Containerizer.create(configuration, { log: logTo(lines) }), directory, lines);
  }

  /** Runs a shell script to its end and forgets it. */
  async run(script: string, config: Partial<ContainerConfig> = {}): Promise<Finished> {
    const { id, sandbox } = await this.start(script, config);
    const termination = await this.core.wait(id);
    const finished = { ...termination, stdout: read(sandbox, 'stdout'), stderr: read(sandbox, 'stderr') };
    await this.core.remove(id);
    return finished;
  }

  /** Starts a shell script. */
  start(script: string, config: Partial<ContainerConfig> = {}, id?: string) {
    return this.core.launch(id, { argv: ['sh', '-c', script], ...config });
  }

  /** Leaves the containers to the next one. */
  async leave(): Promise<void> {
    await this.core.close();
  }

  /** Ends and removes all containers; the directory too. */
  async close(): Promise<void> {
    await this.endAll();
    await this.core.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async endAll(): Promise<void> {
    const top = this.core.list().filter(({ parentId }) => parentId === undefined);
    await Promise.all(top.map(({ id }) => this.core.destroy(id)));
    await Promise.all(top.map(({ id }) => this.core.remove(id)));
  }
}

/** Others may pass through it, as through /var/lib/caisson: containers that aren't root get to their sandboxes. */
export function newDirectory(parent = tmpdir()): string {
  const directory = realpathSync(mkdtempSync(join(parent, 'caisson-containers-')));
  chmodSync(directory, 0o711);
  for (const name of ['work', 'run']) mkdirSync(join(directory, name));
  return directory;
}

const read = (directory: string, name: string): string => readFileSync(join(directory, name), 'utf8');

function logTo(lines: LogLine[]): Logger {
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push([level, fields, message]);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
