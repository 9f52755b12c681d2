/**
 * `caisson agent`: listens first, recovers, then serves, until it is told to stop. Its containers go on without it.
 */
import { Containerizer, type LoadOptions, loadConfiguration } from '@caisson/core';
import { type Logger, messageOf } from '@caisson/plugin-sdk';
import { GarbageCollector } from './collect-garbage.js';
import type { AgentContext } from './context.js';
import { giveBackMemory } from './give-back-memory.js';
import { nextSocketOf } from './listen.js';
import { Listeners } from './listeners.js';
import { createLog, type Levels } from './logging.js';
import { Metrics } from './metrics/metrics.js';
import { ServiceManager } from './notify.js';
import { type Settings, settingsOf } from './settings/settings.js';
import { readSettings } from './settings/sources.js';
import { type Attached, Switchboard } from './switchboard/switchboard.js';
import { Handover } from './takeover/handover.js';
import { askForContainers } from './takeover/predecessor.js';
import { Successor } from './takeover/successor.js';
import { takeBack } from './takeover/take-back.js';

export interface AgentOptions {
  /** `--config`. */
  readonly file?: string | undefined;
  readonly flags: NonNullable<LoadOptions['flags']>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of an agent that serves the same directories, its containers and its socket. */
  readonly takeover?: boolean | undefined;
}

type Configuration = Awaited<ReturnType<typeof loadConfiguration>>;

/** How long a client that was here before another agent took over may stay. */
const FAREWELL_MS = 10 * 60_000;

export class Agent implements AgentContext {
  readonly startTime = Date.now() / 1000;
  readonly metrics = new Metrics(this.startTime);
  readonly manager: ServiceManager;
  readonly handover = new Handover();
  readonly #listeners = new Listeners(this);
  #containers: Containerizer | undefined;
  #garbage: GarbageCollector | undefined;
  #switchboard: Switchboard | undefined;
  readonly #endGivingBack = giveBackMemory();

  private constructor(
    readonly settings: Settings,
    readonly log: Logger,
    readonly levels: Levels,
    private readonly load: () => Promise<Configuration>,
  ) {
    this.manager = new ServiceManager(log);
  }

  get containers(): Containerizer | undefined {
    return this.#containers;
  }

  get switchboard(): Switchboard | undefined {
    return this.#switchboard;
  }

  /** Resolves once it serves. @throws what keeps it from that; nothing is left then */
  static async start({ file, flags, environment, takeover = false }: AgentOptions): Promise<Agent> {
    const sources = readSettings(flags, environment);
    const load = () => loadConfiguration({ file, flags: sources.flags, environment: sources.environment });
    const configuration = await load();
    const settings = settingsOf(sources.settings, configuration.values.runtimeDir);
    const { log, levels } = createLog(settings.logLevel);
    const agent = new Agent(settings, log, levels, load);
    try {
      // If there is none, it is an ordinary start.
      if (takeover && (await Successor.answers(settings.socket))) await agent.#follow(configuration);
      else await agent.#begin(configuration);
      return agent;
    } catch (error) {
      await agent.stop();
      throw error;
    }
  }

  async reload(): Promise<Containerizer['selection']> {
    this.manager.reloading();
    try {
      const selection = await this.#containers!.reload(await this.load());
      this.log.info({ ...selection }, 'a new configuration, for containers launched from now on');
      return selection;
    } finally {
      this.manager.ready('serving');
    }
  }

  async handOver(): Promise<Attached> {
    const { socket } = this.settings;
    let attached: Attached = new Map();
    await this.handover.begin({
      socket,
      nextSocket: nextSocketOf(socket),
      isReplaced: () => this.#listeners.isReplaced,
      fallSilent: async () => {
        attached = this.#switchboard?.attached ?? attached;
        await this.#fallSilent();
      },
      letGo: () => this.#letGo(),
      takeBack: () => this.#takeBack(attached),
    });
    this.log.info({}, 'the containers are let go, to another agent');
    return attached;
  }

  /** After another agent took over: resolves once those who were here before have their answers, and have left. */
  async retire(): Promise<void> {
    // Whoever has a connection may ask once more, until the time that every answer tells him of: closed by us, that request
    // might be on its way.
    await this.#listeners.left(FAREWELL_MS);
    await this.#close();
  }

  /** Requests under way are cut off; containers go on. */
  async stop(): Promise<void> {
    this.manager.stopping();
    await this.#close();
  }

  async #close(): Promise<void> {
    this.#endGivingBack();
    this.#garbage?.stop();
    await this.#listeners.close();
    this.#switchboard?.close();
    await this.#containers?.close();
    this.metrics.close();
    this.levels.reset();
  }

  async #begin(configuration: Configuration): Promise<void> {
    await this.#listeners.listen(this.settings.socket);
    await this.#listeners.listenRemotely();
    await this.#recover(configuration);
    this.#serve();
  }

  /** Everything that may go wrong without the containers goes first; who asks meanwhile waits for the answer. */
  async #follow(configuration: Configuration): Promise<void> {
    const { socket } = this.settings;
    const following = (async () => {
      await this.#listeners.listen(nextSocketOf(socket));
      await this.#recover(configuration, async () => {
        const attached = await askForContainers(socket);
        // At once: the one before has left the port, and connections are refused; who comes by it waits, like all.
        await this.#listeners.listenRemotely();
        return attached;
      });
      this.#listeners.replace(socket);
    })();
    this.handover.hold(following);
    await following;
    this.#serve();
  }

  async #recover(configuration: Configuration, askBefore?: () => Promise<Attached>): Promise<void> {
    const began = performance.now();
    let attached: Attached = new Map();
    const beforeClaim = async () => {
      if (askBefore) attached = await askBefore();
    };
    const containers = await Containerizer.create(configuration, { log: this.log, beforeClaim });
    const seconds = (performance.now() - began) / 1000;
    this.metrics.observe(
      { list: () => containers.list(), onEvent: (listener) => containers.onEvent(listener) },
      seconds,
    );
    this.#garbage = new GarbageCollector(containers, this.settings, this.log);
    this.#garbage.start();
    this.#switchboard = new Switchboard(containers, this.log, attached);
    this.#containers = containers;
  }

  #serve(): void {
    const { selection } = this.#containers!;
    const { launcher, isolation } = selection;
    const containers = this.#containers!.list().length;
    this.log.info({ launcher, isolation, containers, seconds: this.metrics.recoverySeconds }, 'serving');
    this.manager.ready('serving');
  }

  /** What was read of a container's output by now is with those who have attached to it, once the event loop has turned. */
  async #fallSilent(): Promise<void> {
    this.#switchboard?.close();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async #letGo(): Promise<void> {
    this.#garbage?.stop();
    this.#listeners.leavePort();
    await this.#containers?.close();
  }

  async #takeBack(attached: Attached): Promise<void> {
    this.log.warn({}, 'the agent that was to take over is gone; the containers are taken back');
    try {
      const { configuration } = this.#containers!;
      await takeBack(() => this.#recover(configuration, async () => attached), this.log);
      await this.#listeners.listenRemotely();
      this.#serve();
    } catch (error) {
      this.log.error({ error: messageOf(error) }, 'the containers could not be taken back');
      process.kill(process.pid, 'SIGTERM');
      await new Promise(() => {}); // who waits is cut off by the end, not told that there are no containers
    }
  }
}
