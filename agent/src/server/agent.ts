/**
 * `caisson agent`: listens first, recovers, then serves, until it is told to stop. Its containers go on without it.
 */
import { readFileSync } from 'node:fs';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Containerizer, type LoadOptions, loadConfiguration } from '@caisson/core';
import { isCaissonError, type Logger, messageOf } from '@caisson/plugin-sdk';
import type { FastifyInstance } from 'fastify';
import { GarbageCollector } from './collect-garbage.js';
import type { AgentContext } from './context.js';
import { apiErrors } from './errors.js';
import { giveBackMemory } from './give-back-memory.js';
import { createApp } from './http/app.js';
import { listenOnSocket, listenOnTcp, nextSocketOf, removeForsaken, type SocketFile } from './listen.js';
import { createLog, type Levels } from './logging.js';
import { Metrics } from './metrics/metrics.js';
import { ServiceManager } from './notify.js';
import { type Settings, settingsOf } from './settings/settings.js';
import { readSettings } from './settings/sources.js';
import { type Attached, Switchboard } from './switchboard/switchboard.js';
import { Handover } from './takeover/handover.js';
import { askForContainers } from './takeover/predecessor.js';
import { Successor } from './takeover/successor.js';

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
const LOOK_EVERY_MS = 50;
/** How long an agent that gave up taking over may need to end. */
const GONE_WITHIN_MS = 30_000;

export class Agent implements AgentContext {
  readonly startTime = Date.now() / 1000;
  readonly metrics = new Metrics(this.startTime);
  readonly manager: ServiceManager;
  readonly handover = new Handover();
  readonly #apps: FastifyInstance[] = [];
  #remote: FastifyInstance | undefined;
  #containers: Containerizer | undefined;
  #garbage: GarbageCollector | undefined;
  #switchboard: Switchboard | undefined;
  #socket: SocketFile | undefined;
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
      isReplaced: () => this.#socket?.isThere === false,
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
    const deadline = performance.now() + FAREWELL_MS;
    // Whoever has a connection may ask once more, until the time that every answer tells him of: closed by us, that request
    // might be on its way.
    while (performance.now() < deadline && (await this.#areConnected())) await sleep(LOOK_EVERY_MS);
    await this.#close();
  }

  async #areConnected(): Promise<boolean> {
    const counts = this.#apps.map(
      ({ server }) =>
        new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count ?? 0))),
    );
    return (await Promise.all(counts)).some((count) => count > 0);
  }

  /** Requests under way are cut off; containers go on. */
  async stop(): Promise<void> {
    this.manager.stopping();
    await this.#close();
  }

  async #close(): Promise<void> {
    this.#endGivingBack();
    this.#garbage?.stop();
    if (this.#socket) {
      this.#socket.remove();
      await removeForsaken(this.settings.socket);
    }
    await Promise.all(this.#apps.map((app) => app.close()));
    this.#switchboard?.close();
    await this.#containers?.close();
    this.metrics.close();
    this.levels.reset();
  }

  async #begin(configuration: Configuration): Promise<void> {
    await this.#listen(this.settings.socket);
    await this.#listenRemotely();
    await this.#recover(configuration);
    this.#serve();
  }

  /** Everything that may go wrong without the containers goes first; who asks meanwhile waits for the answer. */
  async #follow(configuration: Configuration): Promise<void> {
    const { socket } = this.settings;
    const following = (async () => {
      await this.#listen(nextSocketOf(socket));
      await this.#recover(configuration, () => askForContainers(socket));
      await this.#listenRemotely();
      this.#socket!.rename(socket);
    })();
    this.handover.hold(following);
    await following;
    this.#serve();
  }

  async #listen(path: string): Promise<void> {
    const local = createApp(this, { policy: this.settings.socketPolicy });
    this.#apps.push(local);
    this.#socket = await listenOnSocket(local, path);
    this.log.info({ socket: path }, 'listening');
  }

  async #listenRemotely(): Promise<void> {
    const { tcp, tcpPolicy } = this.settings;
    if (!tcp) return;
    const tls = tcp.tls && { cert: readPem(tcp.tls.cert), key: readPem(tcp.tls.key) };
    this.#remote ??= createApp(this, { policy: tcpPolicy, allowedHosts: tcp.allowedHosts, tls });
    if (!this.#apps.includes(this.#remote)) this.#apps.push(this.#remote);
    const address = await listenOnTcp(this.#remote, tcp);
    this.log.info({ address, tls: tls !== undefined }, 'listening');
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

  /** A port is one process's: its next owner cannot listen before. */
  async #letGo(): Promise<void> {
    this.#garbage?.stop();
    // That of HTTP would close the connections that are idle, too.
    if (this.#remote) NetServer.prototype.close.call(this.#remote.server);
    await this.#containers?.close();
  }

  async #takeBack(attached: Attached): Promise<void> {
    this.log.warn({}, 'the agent that was to take over is gone; the containers are taken back');
    try {
      await this.#recoverAfter(attached);
      await this.#listenRemotely();
      this.#serve();
    } catch (error) {
      this.log.error({ error: messageOf(error) }, 'the containers could not be taken back');
      process.kill(process.pid, 'SIGTERM');
      await new Promise(() => {}); // who waits is cut off by the end, not told that there are no containers
    }
  }

  /** Whoever listens no longer may still be about to end: its sockets are closed before it lets go of its containers. */
  async #recoverAfter(attached: Attached): Promise<void> {
    const deadline = performance.now() + GONE_WITHIN_MS;
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await this.#recover(this.#containers!.configuration, async () => attached);
      } catch (error) {
        const isHeld = isCaissonError(error) && error.code === 'DIRECTORY_IN_USE';
        if (!isHeld || performance.now() > deadline) throw error;
        if (isFirst) this.log.info({ because: messageOf(error) }, 'waiting for the containers');
        await sleep(LOOK_EVERY_MS);
      }
    }
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw apiErrors.SETTING_INVALID('tls', messageOf(error));
  }
}
