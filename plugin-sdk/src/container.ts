import type { ContainerConfig, Resources } from './container-config.js';
import type { ContainerId } from './container-id.js';

/** DEFAULT, or DEBUG: joins its parent's namespaces to look into it. */
export type ContainerClass = 'DEFAULT' | 'DEBUG';

/** A user as the kernel knows it: numbers, resolved on the host before the launch. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly supplementaryGids: readonly number[];
  /** As given in the configuration; for messages only. */
  readonly name?: string | undefined;
  readonly home?: string | undefined;
}

/** A container as an isolator sees it: read-only. Paths are absolute and on the host. */
export interface Container {
  readonly id: ContainerId;
  readonly parentId: ContainerId | undefined;
  readonly class: ContainerClass;
  readonly config: Readonly<ContainerConfig>;
  /** The current allocation; `update` changes it. */
  readonly resources: Readonly<Resources>;
  readonly limits: Readonly<Resources>;
  readonly user: ResolvedUser | undefined;
  /** The container's working files, 0750, kept after its end as configured. */
  readonly sandbox: string;
  /** The container's state, 0700, gone with it. */
  readonly runtimeDirectory: string;
  /** The first process, once it is held at the gate. */
  readonly pid: number | undefined;
  /**
   * True while `pid` is its first process's number, and can be nobody else's: that has not been reaped. Whoever opens something
   * by the number asks once it is open (threat model N12). False too where the launcher cannot tell.
   */
  readonly holdsPid: boolean;
  /** The container that it is nested in. */
  readonly parent?: Container | undefined;
  /** The parent's first process, for a nested container. */
  readonly parentPid: number | undefined;
}

/** Why a container must be stopped: reported by an isolator from `watch`. */
export interface Limitation {
  /** Such as REASON_CONTAINER_LIMITATION_DISK. */
  readonly reason: string;
  readonly message: string;
  /** The resources that were exceeded. */
  readonly resources?: Readonly<Resources> | undefined;
}

export type ReportLimitation = (limitation: Limitation) => void;

/** How a container ended. */
export interface Termination {
  /** The raw status of wait(2), absent if no process ever ran or the status was lost. */
  readonly status?: number | undefined;
  readonly exitCode?: number | undefined;
  /** Such as SIGKILL. */
  readonly signal?: string | undefined;
  /** Such as EXITED, DESTROYED, LAUNCH_FAILED, LOST, SUPERVISOR_KILLED, or a limitation's reason. */
  readonly reason: string;
  readonly message?: string | undefined;
  readonly limitation?: Limitation | undefined;
}

/** What `recover` gets: the containers that go on, and ids found on disk that nobody can re-adopt. */
export interface Recovery {
  readonly containers: readonly Container[];
  readonly orphans: readonly ContainerId[];
}
