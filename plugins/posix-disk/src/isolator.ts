/**
 * posix/disk: reports what containers have in their sandboxes, and holds them to their quota if told: by walking the
 * sandbox (du), or by the quotas of the filesystem, which count without walking and refuse what is too much.
 *
 * Reports  REASON_CONTAINER_LIMITATION_DISK
 * Throws   QUOTA_SANDBOX_USED, PROJECT_IDS_EXHAUSTED; at start QUOTA_UNAVAILABLE (errors.ts)
 * Source   du(1), btrfs-quota(8), quotactl(2)
 */
import { relative, resolve } from 'node:path';
import {
  Checkpoints,
  Clock,
  type Container,
  type ContainerizerHooks,
  HostEnvironment,
  type Isolator,
  IsolatorOptions,
  inject,
  injectable,
  Logger,
  messageOf,
  type Recovery,
  type ResourceStatistics,
} from '@caisson/plugin-sdk';
import { type Checkpoint, readCheckpoint } from './checkpoint.js';
import { type Allotment, directoriesOf, sandboxQuota } from './directories.js';
import { Measuring } from './measuring.js';
import type { PosixDiskOptions } from './options.js';
import { QuotaAccounts } from './quota/accounts.js';
import type { Account } from './quota/meter.js';
import { fillIn } from './statistics.js';
import type { TrackedContainer } from './tracked-container.js';

interface Known {
  readonly container: Container;
  readonly tracked: TrackedContainer;
  checkpoint: Checkpoint;
  /** Where the container has its volumes, as paths of the host. */
  volumePaths: readonly string[];
}

@injectable()
export class PosixDiskIsolator implements Isolator {
  readonly #known = new Map<string, Known>();
  readonly #accounts: QuotaAccounts;
  readonly #measuring: Measuring;

  constructor(
    @inject(IsolatorOptions) options: PosixDiskOptions,
    @inject(HostEnvironment) private readonly host: HostEnvironment,
    @inject(Clock) private readonly clock: Clock,
    @inject(Checkpoints) private readonly checkpoints: Checkpoints,
    @inject(Logger) private readonly log: Logger,
  ) {
    const { workDir: directory } = host;
    this.#accounts = new QuotaAccounts({ options, directory, clock, log });
    this.#measuring = new Measuring({ options, clock, log });
  }

  apply(hooks: ContainerizerHooks): void {
    const name = 'posix/disk';
    hooks.recover.tapPromise(name, async (recovery) => this.#recover(recovery));
    hooks.prepare.tapPromise(name, async (container) => this.#prepare(container));
    hooks.watch.tap(name, ({ id }, report) => {
      this.#known.get(id)?.tracked.watch(report);
    });
    hooks.update.tapPromise(name, (container, resources, limits) =>
      this.#allot(container, { resources, limits }),
    );
    hooks.usage.tapPromise(name, (container, statistics) => this.#usage(container, statistics));
    hooks.cleanup.tapPromise(name, (container) => this.#cleanup(container));
  }

  /** Called by the host when nobody needs this isolator any more. */
  async close(): Promise<void> {
    await this.#measuring.close();
    this.#accounts.end();
  }

  async #prepare(container: Container): Promise<void> {
    const account = this.#accounts.open(container, sandboxQuota(container), (each) => this.#isTaken(each));
    if (account) this.checkpoints.set(container.id, { account });
    await this.#track(container, { account });
  }

  /** One that can't be taken up is said so, and costs no other. */
  async #recover({ containers }: Recovery): Promise<void> {
    for (const container of containers)
      try {
        await this.#takeUp(container);
      } catch (error) {
        this.log.error(
          { container: container.id, error: messageOf(error) },
          'its disk usage is not watched any more',
        );
      }
  }

  async #takeUp(container: Container): Promise<void> {
    const found = readCheckpoint(this.checkpoints.get(container.id));
    const account = this.#accounts.recover(container.id, found.account);
    await this.#track(container, { ...found, account });
  }

  async #track(container: Container, checkpoint: Checkpoint): Promise<void> {
    const { id } = container;
    const { account, slow = false } = checkpoint;
    const tracked = this.#measuring.track({
      id,
      gauge: this.#accounts.gaugeOf(account),
      volumePaths: () => this.#volumePathsIn(container),
      isSlow: slow,
      onPaceChanged: (isSlow) => this.#remember(id, { slow: isSlow }),
    });
    this.#known.set(id, { container, tracked, checkpoint, volumePaths: [] });
    await this.#allot(container, container);
  }

  async #allot(container: Container, allotment: Allotment): Promise<void> {
    const known = this.#known.get(container.id);
    if (!known) return;
    this.#accounts.limit(known.checkpoint.account, sandboxQuota(allotment));
    known.volumePaths = (allotment.resources.volumes ?? []).map(({ volume }) =>
      resolve(container.sandbox, volume.containerPath),
    );
    await known.tracked.set(directoriesOf(container, allotment, this.host.workDir));
  }

  /** Those of what is nested in it, too. */
  #volumePathsIn({ id, sandbox }: Container): string[] {
    const inside = [...this.#known.values()].filter(
      ({ container }) => container.id === id || container.id.startsWith(`${id}.`),
    );
    return inside
      .flatMap(({ volumePaths }) => volumePaths)
      .filter((path) => path.startsWith(`${sandbox}/`))
      .map((path) => relative(sandbox, path));
  }

  async #usage({ id }: Container, statistics: ResourceStatistics): Promise<void> {
    const tracked = this.#known.get(id)?.tracked;
    if (!tracked) return;
    await tracked.refresh();
    fillIn(statistics, tracked.directories, this.clock.monotonicMs());
  }

  async #cleanup({ id }: Container): Promise<void> {
    const known = this.#known.get(id);
    // Of a launch that was cut off by the end of the agent only the checkpoint is known.
    const { account } = known?.checkpoint ?? readCheckpoint(this.checkpoints.get(id));
    await known?.tracked.end();
    this.#accounts.close(account);
    this.#known.delete(id);
    this.checkpoints.delete(id);
  }

  #isTaken(account: Account): boolean {
    const text = JSON.stringify(account);
    return [...this.#known.values()].some(({ checkpoint }) => JSON.stringify(checkpoint.account) === text);
  }

  /** Nothing depends on it: the next agent finds it out for itself. */
  #remember(id: string, change: Partial<Checkpoint>): void {
    const known = this.#known.get(id);
    if (!known) return;
    known.checkpoint = { ...known.checkpoint, ...change };
    try {
      this.checkpoints.set(id, known.checkpoint);
    } catch (error) {
      this.log.debug(
        { container: id, error: messageOf(error) },
        'how long it takes to measure is not on disk',
      );
    }
  }
}
