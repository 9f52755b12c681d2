/**
 * `caisson agent`: listens first, recovers, then serves, until it is told to stop. Its containers go on without it.
 */
import { readFileSync } from 'node:fs';
import { Containerizer, type LoadOptions, loadConfiguration } from '@caisson/core';
import { type Logger, messageOf } from '@caisson/plugin-sdk';
import type { FastifyInstance } from 'fastify';
import { GarbageCollector } from './collect-garbage.js';
import type { AgentContext } from './context.js';
import { apiErrors } from './errors.js';
import { createApp } from './http/app.js';
import { listenOnSocket, listenOnTcp } from './listen.js';
import { createLog, type Levels } from './logging.js';
import { Metrics } from './metrics/metrics.js';
import { ServiceManager } from './notify.js';
import { type Settings, settingsOf } from './settings/settings.js';
import { readSettings } from './settings/sources.js';
import { Switchboard } from './switchboard/switchboard.js';

export interface AgentOptions {
  /** `--config`. */
  readonly file?: string | undefined;
  readonly flags: NonNullable<LoadOptions['flags']>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export class Agent implements AgentContext {
  readonly startTime = Date.now() / 1000;
  readonly metrics = new Metrics(this.startTime);
  readonly manager: ServiceManager;
  readonly #apps: FastifyInstance[] = [];
  #containers: Containerizer | undefined;
  #garbage: GarbageCollector | undefined;
  #switchboard: Switchboard | undefined;
  #removeSocket: () => void = () => {};

  private constructor(
    readonly settings: Settings,
    readonly log: Logger,
    readonly levels: Levels,
    private readonly load: () => ReturnType<typeof loadConfiguration>,
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
  static async start({ file, flags, environment }: AgentOptions): Promise<Agent> {
    const sources = readSettings(flags, environment);
    const load = () => loadConfiguration({ file, flags: sources.flags, environment: sources.environment });
    const configuration = await load();
    const settings = settingsOf(sources.settings, configuration.values.runtimeDir);
    const { log, levels } = createLog(settings.logLevel);
    const agent = new Agent(settings, log, levels, load);
    try {
      await agent.#listen();
      await agent.#recover(configuration);
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

  /** Requests under way are cut off; containers go on. */
  async stop(): Promise<void> {
    this.manager.stopping();
    this.#garbage?.stop();
    this.#removeSocket();
    await Promise.all(this.#apps.map((app) => app.close()));
    this.#switchboard?.close();
    await this.#containers?.close();
    this.metrics.close();
    this.levels.reset();
  }

  async #listen(): Promise<void> {
    const { socket, socketPolicy, tcp, tcpPolicy } = this.settings;
    const local = createApp(this, { policy: socketPolicy });
    this.#apps.push(local);
    this.#removeSocket = await listenOnSocket(local, socket);
    this.log.info({ socket }, 'listening');
    if (!tcp) return;
    const tls = tcp.tls && { cert: readPem(tcp.tls.cert), key: readPem(tcp.tls.key) };
    const remote = createApp(this, { policy: tcpPolicy, allowedHosts: tcp.allowedHosts, tls });
    this.#apps.push(remote);
    const address = await listenOnTcp(remote, tcp);
    this.log.info({ address, tls: tls !== undefined }, 'listening');
  }

  async #recover(configuration: Awaited<ReturnType<typeof loadConfiguration>>): Promise<void> {
    const began = performance.now();
    const containers = await Containerizer.create(configuration, { log: this.log });
    const seconds = (performance.now() - began) / 1000;
    this.metrics.observe(
      { list: () => containers.list(), onEvent: (listener) => containers.onEvent(listener) },
      seconds,
    );
    this.#garbage = new GarbageCollector(containers, this.settings, this.log);
    this.#garbage.start();
    this.#switchboard = new Switchboard(containers, this.log);
    this.#containers = containers;
    const { launcher, isolation } = containers.selection;
    this.log.info({ launcher, isolation, containers: containers.list().length, seconds }, 'serving');
    this.manager.ready('serving');
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw apiErrors.SETTING_INVALID('tls', messageOf(error));
  }
}
