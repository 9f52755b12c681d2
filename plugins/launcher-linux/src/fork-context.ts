import type { Cgroups } from '@caisson/linux/cgroups';
import type { Reaper } from '@caisson/linux/process';
import type { NamespaceOwner } from './entered.js';
import type { Entrances } from './entrances.js';
import type { ForkServer, LaunchKind } from './fork-server.js';
import type { NullInput } from './null-input.js';
import type { SharedProcessor } from './shared-processor.js';
import type { LaunchStep } from './step.js';

/** What a launch has from its launcher. */
export interface ForkContext {
  readonly reaper: Reaper;
  readonly cgroups: Cgroups;
  /** The standard input of a container that reads nothing. */
  readonly input: NullInput;
  /** For the image, where the kernel refuses executable memfds. */
  readonly imageDirectory: string;
  readonly patienceMs: () => number;
  /** Where this launch runs together with the agent, if it is alone. */
  readonly processor?: SharedProcessor | undefined;
  /** Of the parent of a nested container. Default, for tests: whoever has its number. */
  readonly parent?: ((id: string) => NamespaceOwner | undefined) | undefined;
  /** For a launch into the pid namespace of another container. Default, for tests: whoever is there is no danger. */
  readonly entrances?: Entrances | undefined;
  /** Clones the supervisor, where the launch allows it. */
  readonly forkServer?: ForkServer | undefined;
  /** Called once the command runs; with the kind of launch, if it came from the fork server. */
  readonly onExecuted?: ((forked?: LaunchKind) => void) | undefined;
  /** Default: the steps of every launch. Tests leave one out, to show what it is for. */
  readonly steps?: readonly LaunchStep[] | undefined;
}
