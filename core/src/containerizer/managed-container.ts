import {
  type Container,
  type ContainerConfig,
  type ContainerId,
  type ContainerProcess,
  type LauncherState,
  type LaunchPlan,
  type LaunchPlanData,
  type Limitation,
  parentOf,
  type ResolvedUser,
  type Resources,
  type Termination,
} from '@caisson/plugin-sdk';
import { bootId } from '../checkpoints/boot-id.js';
import type { ContainerRecord } from '../checkpoints/record.js';
import type { PhaseSubject } from '../hooks/phases.js';
import { deepFreeze } from '../plain-data.js';
import type { Generation } from '../plugin-host/generation.js';
import type { Place } from './place.js';
import type { ContainerState, Timings } from './types.js';

/** Why a container ends: the first cause counts. */
export interface EndCause {
  readonly reason: string;
  readonly message?: string | undefined;
  readonly limitation?: Limitation | undefined;
}

/** What a container starts with, launched or recovered. */
export interface ContainerStart {
  readonly place: Place;
  readonly config: ContainerConfig;
  readonly user: ResolvedUser | undefined;
  readonly generation: Generation;
  readonly parent: ManagedContainer | undefined;
  readonly createdAt: number;
  readonly launcher: string;
  readonly isolation: readonly string[];
}

/** A container as the core sees it: everything that changes in its life. */
export class ManagedContainer {
  readonly id: ContainerId;
  readonly place: Place;
  readonly config: Readonly<ContainerConfig>;
  readonly user: ResolvedUser | undefined;
  readonly generation: Generation;
  readonly parent: ManagedContainer | undefined;
  readonly children = new Set<ManagedContainer>();
  readonly createdAt: number;
  readonly launcher: string;
  /** The isolators that it was launched with. */
  readonly isolation: readonly string[];
  /** What isolators see. */
  readonly view: Container;
  readonly subject: PhaseSubject;
  readonly timings: Timings = {};
  /** Settles with the container's end; never rejects. */
  readonly ended: Promise<Termination>;

  state: ContainerState = 'PREPARING';
  resources: Readonly<Resources>;
  limits: Readonly<Resources>;
  /** Of one that was recovered and whose process can't be reached. */
  recordedPid: number | undefined;
  process: ContainerProcess | undefined;
  /** Once nothing of the process that this launch has started is left running. */
  exit: { readonly status: number | undefined } | undefined;
  launcherState: LauncherState | undefined;
  /** Why its processes, of an earlier run, can't be reached: they may be alive, so nothing of it is undone. */
  unreachable: string | undefined;
  plan: LaunchPlan | undefined;
  /** The plan of a container that was recovered: data alone. */
  planData: LaunchPlanData | undefined;
  /** The launch was answered, or is about to be. */
  launched = false;
  /** The isolators whose `prepare` began: they are cleaned up. */
  readonly begun = new Set<string>();
  /** The isolators whose `cleanup` succeeded: not called again. */
  readonly cleaned = new Set<string>();
  /** The launch under way; settles when it, or what it had to undo, is over. */
  launching: Promise<unknown> | undefined;
  releasing = false;
  cause: EndCause | undefined;
  /** The destroy under way. */
  ending: Promise<void> | undefined;
  /** The removal under way. */
  removing: Promise<void> | undefined;
  /** Updates run one after another. */
  updating: Promise<unknown> = Promise.resolve();
  /** What keeps it from being what it should be. */
  problem: string | undefined;
  termination: Termination | undefined;
  retry: NodeJS.Timeout | undefined;
  #resolveEnded!: (termination: Termination) => void;

  constructor(start: ContainerStart) {
    this.id = start.place.id;
    this.place = start.place;
    this.config = deepFreeze(start.config);
    this.user = deepFreeze(start.user);
    this.generation = start.generation;
    this.parent = start.parent;
    this.createdAt = start.createdAt;
    this.launcher = start.launcher;
    this.isolation = start.isolation;
    this.resources = this.config.resources ?? {};
    this.limits = this.config.limits ?? {};
    this.view = viewOf(this);
    this.subject = {
      id: this.id,
      isNested: start.place.isNested,
      isolation: new Set(start.isolation),
      onTimed: (phase, isolator, ms) => this.time(phase, isolator, ms),
    };
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  /** Of the process as it is now: at the release it may become another, in a pid namespace that is joined. */
  get pid(): number | undefined {
    return this.process?.pid ?? this.recordedPid;
  }

  time(phase: keyof Timings, who: string, ms: number): void {
    this.timings[phase] ??= {};
    this.timings[phase][who] = ms;
  }

  end(termination: Termination): void {
    this.termination = termination;
    this.state = 'ENDED';
    this.#resolveEnded(termination);
  }

  /** As it is on disk. */
  record(): ContainerRecord {
    return {
      version: 1,
      id: this.id,
      bootId: bootId(),
      createdAt: this.createdAt,
      config: this.config,
      resources: this.resources,
      limits: this.limits,
      ...(this.user && { user: this.user as ContainerRecord['user'] }),
      sandbox: this.place.sandbox,
      launcher: this.launcher,
      isolation: [...this.isolation],
      ...(this.launcherState && { pid: this.pid, launcherState: { ...this.launcherState } }),
      plan: this.plan?.data ?? this.planData,
      termination: this.termination,
    };
  }
}

/** Read-only: an isolator that writes to it throws, and harms nobody else's view. */
function viewOf(container: ManagedContainer): Container {
  const { id, place, config, user } = container;
  return Object.freeze({
    id,
    parentId: parentOf(id),
    parent: container.parent?.view,
    class: config.class ?? 'DEFAULT',
    config,
    user,
    sandbox: place.sandbox,
    runtimeDirectory: place.runtimeDirectory,
    get resources() {
      return container.resources;
    },
    get limits() {
      return container.limits;
    },
    get pid() {
      return container.pid;
    },
    get holdsPid() {
      return container.process?.holdsPid === true;
    },
    get parentPid() {
      return container.parent?.pid;
    },
  });
}
