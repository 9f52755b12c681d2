import type {
  ContainerClass,
  ContainerConfig,
  ContainerId,
  LaunchPlanData,
  Limitation,
  Logger,
  Phase,
  Resources,
  Termination,
} from '@caisson/plugin-sdk';

/** PREPARING and ISOLATING are the launch; DESTROYING is the way back from any state; ENDED until `remove`. */
export type ContainerState = 'PREPARING' | 'ISOLATING' | 'RUNNING' | 'DESTROYING' | 'ENDED';

/** What `launch` returns: the command was executed. */
export interface LaunchedContainer {
  readonly id: ContainerId;
  readonly pid: number;
  readonly sandbox: string;
}

/** One line of `list`. */
export interface ContainerSummary {
  readonly id: ContainerId;
  readonly parentId: ContainerId | undefined;
  readonly class: ContainerClass;
  readonly state: ContainerState;
  readonly pid: number | undefined;
  readonly sandbox: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly termination: Termination | undefined;
  /** What keeps it from being what it should be: a destroy that failed, an isolator that is not enabled any more. */
  readonly problem: string | undefined;
}

/** Milliseconds that each isolator's tap took, by phase; below `launcher`, its fork and release. */
export type Timings = Partial<Record<Phase | 'launcher', Record<string, number>>>;

/** Everything that is known of a container. */
export interface ContainerDetails extends ContainerSummary {
  readonly config: Readonly<ContainerConfig>;
  readonly resources: Readonly<Resources>;
  readonly limits: Readonly<Resources>;
  /** What the launcher was told; undefined until it is prepared. */
  readonly plan: Readonly<LaunchPlanData> | undefined;
  readonly launcher: string;
  readonly isolation: readonly string[];
  readonly timings: Timings;
  /** The system calls of the launch, where the launcher has some to show. */
  readonly systemCalls: string | undefined;
}

/** What happens to containers, in order. */
export type ContainerEvent =
  | {
      readonly type: 'state';
      readonly id: ContainerId;
      readonly state: ContainerState;
      readonly pid?: number;
    }
  | { readonly type: 'limitation'; readonly id: ContainerId; readonly limitation: Limitation }
  | { readonly type: 'launch-failed'; readonly id: ContainerId; readonly error: Error }
  | { readonly type: 'destroy-failed'; readonly id: ContainerId; readonly error: Error }
  | { readonly type: 'ended'; readonly id: ContainerId; readonly termination: Termination }
  | { readonly type: 'updated'; readonly id: ContainerId; readonly resources: Readonly<Resources> }
  | { readonly type: 'removed'; readonly id: ContainerId }
  | {
      readonly type: 'tap';
      /** `-` for `recover`, which is for all. */
      readonly id: ContainerId;
      readonly isolator: string;
      readonly phase: Phase;
      readonly ms: number;
      readonly failed: boolean;
    };

export interface CreateOptions {
  /** Where the core and the isolators log. Default: warnings and errors on stderr. */
  readonly log?: Logger | undefined;
  /**
   * A runtime directory of this process' own, below `runtimeDir`: for a program that launches containers which end
   * with it (`caisson run`). Sets `dieWithParent`. Default false: one owner per runtime directory.
   */
  readonly transient?: boolean | undefined;
  /**
   * Awaited once the configuration is checked and its plugins are loaded, before the directories are claimed: to ask
   * their owner for them.
   */
  readonly beforeClaim?: (() => Promise<void>) | undefined;
}
