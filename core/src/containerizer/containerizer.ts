import type {
  ContainerConfig,
  ContainerId,
  ContainerStatus,
  ContainerTerminal,
  ResourceStatistics,
  Resources,
  Termination,
} from '@caisson/plugin-sdk';
import type { Configuration } from '../configuration/configuration.js';
import type {
  ContainerDetails,
  ContainerEvent,
  ContainerSummary,
  CreateOptions,
  LaunchedContainer,
  Selection,
} from './types.js';

const notYet = (): never => {
  throw new Error('not yet');
};

/** SKELETON, the types hold. */
export class Containerizer {
  private constructor() {}

  static async create(_configuration: Configuration, _options: CreateOptions = {}): Promise<Containerizer> {
    return notYet();
  }
  /** The launcher and the isolators that containers launched from now on get. */
  get selection(): Selection {
    return notYet();
  }
  async launch(_id: ContainerId | undefined, _config: ContainerConfig): Promise<LaunchedContainer> {
    return notYet();
  }
  async wait(_id: ContainerId): Promise<Termination> {
    return notYet();
  }
  signal(_id: ContainerId, _signal: number): boolean {
    return notYet();
  }
  async destroy(_id: ContainerId): Promise<Termination> {
    return notYet();
  }
  /** Forgets an ended container and deletes its files; `keepSandbox` leaves the sandbox. */
  async remove(_id: ContainerId, _options: { keepSandbox?: boolean } = {}): Promise<void> {
    return notYet();
  }
  async update(_id: ContainerId, _resources: Resources, _limits?: Resources): Promise<void> {
    return notYet();
  }
  async usage(_id: ContainerId): Promise<ResourceStatistics> {
    return notYet();
  }
  async status(_id: ContainerId): Promise<ContainerStatus> {
    return notYet();
  }
  inspect(_id: ContainerId): ContainerDetails {
    return notYet();
  }
  list(): ContainerSummary[] {
    return notYet();
  }
  terminal(_id: ContainerId): ContainerTerminal | undefined {
    return notYet();
  }
  /** Calls the listener for each event from now on; returns what ends that. */
  onEvent(_listener: (event: ContainerEvent) => void): () => void {
    return notYet();
  }
  /** A new generation for the containers launched from then on. A bad configuration is refused; the old one goes on. */
  async reload(_configuration: Configuration): Promise<void> {
    return notYet();
  }
  /** Containers go on (transient: they are destroyed); everything this process holds is given back. */
  async close(): Promise<void> {
    return notYet();
  }
}
