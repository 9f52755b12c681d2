/**
 * The launcher `posix`: Node's child_process and /bin/sh, without FFI: for macOS, for users who aren't root, for
 * containers that are to be started and watched, not isolated.
 *
 * Honest limits: processes that left session, group, parents and environment survive a destroy; after a restart of this
 * process the exit status of a container is lost (there is no supervisor that would write it down), and its pid is told
 * from another one's by its start time alone; a user's supplementary groups are dropped; argv[0] is the executable;
 * bash as /bin/sh adds `_` to the environment; LD_PRELOAD of the container's environment acts in the shell at the gate.
 *
 * Throws  POSIX_* and USER_* of errors.ts
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import {
  type Container,
  type ContainerConfig,
  type ContainerProcess,
  HostEnvironment,
  holdSandbox,
  inject,
  injectable,
  type Launcher,
  type LauncherState,
  type LaunchPlan,
  type LaunchPlanData,
  messageOf,
  type ResolvedUser,
} from '@caisson/plugin-sdk';
import { failpoint } from '@caisson/plugin-sdk/failpoint';
import { markOf, type ProcessMark } from '../checkpoints/process-start.js';
import { openOutput } from '../containerizer/sandbox-output.js';
import { encodeWaitStatus } from '../containerizer/wait-status.js';
import { coreErrors } from '../errors.js';
import { adoptProcess } from './adopt.js';
import { DeathWatch } from './death-watch.js';
import { gateScript, parseReport, SETUP_FAILED } from './gate-script.js';
import { PosixProcess } from './posix-process.js';
import { requireSupportedConfig, requireSupportedPlan } from './unsupported.js';
import { resolveUser } from './users.js';

@injectable()
export class PosixLauncher implements Launcher {
  readonly #deathWatch = new DeathWatch();
  readonly #children = new Set<ChildProcess>();

  constructor(@inject(HostEnvironment) private readonly environment: HostEnvironment) {}

  validate(config: Readonly<ContainerConfig>): ResolvedUser | undefined {
    requireSupportedConfig(config);
    if (config.user === undefined) return undefined;
    const user = resolveUser(config.user);
    const caller = process.getuid?.() ?? -1;
    if (caller !== 0 && (user.uid !== caller || user.gid !== process.getgid?.()))
      throw coreErrors.USER_DENIED(config.user, caller);
    return user;
  }

  async fork(container: Container, plan: LaunchPlan): Promise<ContainerProcess> {
    requireSupportedPlan(plan);
    const child = await this.#spawn(container, plan.data);
    await failpoint('posix.spawned');
    const pid = child.pid!;
    const mark = markOf(pid);
    this.#track(child, pid, plan.data.dieWithParent);
    const reaped = () => child.exitCode !== null || child.signalCode !== null;
    return new PosixProcess({
      id: container.id,
      leader: { pid, ended: endOf(child), isAlive: () => !reaped() },
      tree: { leader: pid, start: Number(mark?.start) || 0, sandbox: container.sandbox, isReaped: reaped },
      state: { ...(mark ?? ({ pid } as Partial<ProcessMark>)) },
      release: () => openGate(container.id, child, plan.data),
      close: () => closePipes(child),
    });
  }

  adopt(container: Container, state: LauncherState): ContainerProcess | undefined {
    return adoptProcess(container, state);
  }

  /** Containers go on, save those that are to end with this process. */
  close(): void {
    this.#deathWatch.close();
    for (const child of this.#children) {
      child.unref();
      closePipes(child);
    }
  }

  async #spawn(container: Container, plan: LaunchPlanData): Promise<ChildProcess> {
    const sandbox = holdSandbox(this.environment.workDir, container);
    const outputs: number[] = [];
    try {
      if (plan.stdio === 'files')
        for (const name of ['stdout', 'stderr']) outputs.push(openOutput(sandbox, name, container));
      const { workingDirectory = container.sandbox } = plan;
      return await spawned(container.id, () =>
        spawn(
          '/bin/sh',
          ['-c', scriptOf(plan), 'sh', plan.executable ?? plan.argv[0]!, ...plan.argv.slice(1)],
          {
            cwd: workingDirectory === container.sandbox ? sandbox.path : workingDirectory,
            // A session and a process group of its own (threat model N1).
            detached: true,
            env: plan.environment,
            stdio: [...stdioOf(plan, outputs), 'pipe', 'pipe'],
            ...(plan.user &&
              plan.user.uid !== process.getuid?.() && { uid: plan.user.uid, gid: plan.user.gid }),
          },
        ),
      );
    } finally {
      for (const fd of outputs) closeSync(fd);
      sandbox.close();
    }
  }

  #track(child: ChildProcess, pid: number, dieWithParent: boolean): void {
    this.#children.add(child);
    if (dieWithParent) this.#deathWatch.add(pid);
    child.once('exit', () => {
      this.#children.delete(child);
      this.#deathWatch.delete(pid);
    });
  }
}

const stdioOf = ({ stdio }: LaunchPlanData, outputs: readonly number[]): ('inherit' | 'ignore' | number)[] =>
  stdio === 'inherit' ? ['inherit', 'inherit', 'inherit'] : ['ignore', ...outputs];

function scriptOf({ environment, oomScoreAdj }: LaunchPlanData): string {
  return gateScript({ environment, oomScoreAdj: ownOomScoreAdj() === oomScoreAdj ? undefined : oomScoreAdj });
}

/** Inherited by children, and never what a container shall have by accident (N13). 0 where there is none. */
function ownOomScoreAdj(): number {
  if (process.platform !== 'linux') return 0;
  return Number(readFileSync('/proc/self/oom_score_adj', 'latin1'));
}

/** Node tells by an event what went wrong. */
function spawned(id: string, start: () => ChildProcess): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => reject(coreErrors.POSIX_SPAWN_FAILED(id, messageOf(error)));
    try {
      const child = start();
      // Later errors are of its pipes; the process's end says more.
      child.on('error', fail);
      for (const pipe of [child.stdio[3], child.stdio[4]]) pipe?.on('error', () => {});
      if (child.pid !== undefined) resolve(child);
    } catch (error) {
      fail(error);
    }
  });
}

const endOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(encodeWaitStatus(code, signal)));
  });

/** Resolves when the exec has closed the report. @throws COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, POSIX_EXEC_FAILED, POSIX_ENDED_AT_GATE */
async function openGate(
  id: string,
  child: ChildProcess,
  { executable, argv }: LaunchPlanData,
): Promise<void> {
  const report = readAll(child.stdio[4] as Readable);
  (child.stdio[3] as Writable).end('\n');
  const result = parseReport(await report);
  if (result === 'executed') return;
  if (result === 'ended at the gate') throw coreErrors.POSIX_ENDED_AT_GATE(id);
  throw execFailure(id, executable ?? argv[0]!, result.status);
}

/** As shells report a failed exec (POSIX, Shell Command Language, 2.8.2). */
function execFailure(id: string, command: string, status: number): Error {
  if (status === 127) return coreErrors.COMMAND_NOT_FOUND(id, command);
  if (status === 126) return coreErrors.COMMAND_NOT_EXECUTABLE(id, command);
  const why = status === SETUP_FAILED ? 'its oom_score_adj could not be set' : `status ${status}`;
  return coreErrors.POSIX_EXEC_FAILED(id, command, why);
}

const readAll = (stream: Readable): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    stream.once('close', () => resolve(text));
  });

function closePipes(child: ChildProcess): void {
  for (const pipe of [child.stdio[3], child.stdio[4]]) pipe?.destroy();
}
