/** The command line as a user runs it: a process of its own, in a folder with a configuration, the bundled build. */
import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ended, Running } from './running.js';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
export const caissonFile = join(repository, 'agent/bin/caisson.js');

/** How a test becomes an ordinary user: put before a command. */
const isRoot = process.getuid?.() === 0;
const setpriv = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
export const asNobody = {
  prefix: isRoot ? setpriv : [],
  needs: {
    programs: isRoot ? ['setpriv'] : [],
    host: () =>
      isRoot && spawnSync(setpriv[0]!, [...setpriv.slice(1), 'test', '-r', caissonFile]).status !== 0
        ? `other users cannot read ${repository}`
        : undefined,
  },
};

/** What `caisson` leaves of its own; see `Folder.directories`. */
const STATE = ['work', 'run'];

/** A folder of a user: configuration file, installed packages, and where Caisson keeps what it has. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'caisson-test-'));
  /** Where containers leave traces. */
  readonly directories = STATE.map((name) => join(this.path, name));

  constructor(configuration: object = {}) {
    this.configure(configuration);
  }

  configure(configuration: object): void {
    writeFileSync(join(this.path, 'caisson.config.json'), JSON.stringify(configuration));
  }

  /** Instead of the one in JSON. */
  configureAs(name: string, text: string): void {
    rmSync(join(this.path, 'caisson.config.json'));
    writeFileSync(join(this.path, name), text);
  }

  /** As `npm install` of a folder does: a link. */
  install(packageFolder: string): void {
    mkdirSync(join(this.path, 'node_modules'), { recursive: true });
    symlinkSync(join(repository, packageFolder), join(this.path, 'node_modules', basename(packageFolder)));
  }

  /** Caisson's directories are in this folder. */
  get environment(): NodeJS.ProcessEnv {
    const [CAISSON_WORK_DIR, CAISSON_RUNTIME_DIR] = this.directories;
    return { ...process.env, CAISSON_WORK_DIR, CAISSON_RUNTIME_DIR };
  }

  start(args: readonly string[], options: SpawnOptions & { prefix?: readonly string[] } = {}): Running {
    const [file = '', ...rest] = [...(options.prefix ?? []), process.execPath, caissonFile, ...args];
    const env = { ...this.environment, ...options.env };
    return new Running(spawn(file, rest, { cwd: this.path, ...options, env }));
  }

  /** Runs `caisson` to its end, with nothing on its stdin unless told. */
  async caisson(
    args: readonly string[],
    options: Parameters<Folder['start']>[1] & { input?: string } = {},
  ): Promise<Ended> {
    const running = this.start(args, options);
    running.child.stdin?.end(options.input ?? '');
    return running.ended;
  }

  /** With what a failed test has left running in it. */
  remove(): void {
    for (const child of Running.alive) child.kill('SIGKILL');
    rmSync(this.path, { recursive: true, force: true });
  }
}
