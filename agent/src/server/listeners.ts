/** Where the agent is reached: its Unix socket, and its port if it has one. */
import { readFileSync } from 'node:fs';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@caisson/plugin-sdk';
import type { FastifyInstance } from 'fastify';
import type { AgentContext } from './context.js';
import { apiErrors } from './errors.js';
import { createApp } from './http/app.js';
import { listenOnSocket, listenOnTcp, removeForsaken, type SocketFile } from './listen.js';

const LOOK_EVERY_MS = 50;

export class Listeners {
  #local: FastifyInstance | undefined;
  #remote: FastifyInstance | undefined;
  #socket: SocketFile | undefined;

  constructor(private readonly context: AgentContext) {}

  /** Another agent is reached by the name of our socket. */
  get isReplaced(): boolean {
    return this.#socket?.isThere === false;
  }

  /** @throws AGENT_RUNS_ALREADY, LISTEN_FAILED */
  async listen(path: string): Promise<void> {
    const { settings, log } = this.context;
    this.#local = createApp(this.context, { policy: settings.socketPolicy });
    this.#socket = await listenOnSocket(this.#local, path);
    log.info({ socket: path }, 'listening');
  }

  /** Takes the name of the socket of the agent before: from now on, this one is reached. */
  replace(path: string): void {
    this.#socket?.rename(path);
  }

  /** At the port, if the settings have one. @throws LISTEN_FAILED, SETTING_INVALID */
  async listenRemotely(): Promise<void> {
    const { tcp, tcpPolicy } = this.context.settings;
    if (!tcp) return;
    const tls = tcp.tls && { cert: readPem(tcp.tls.cert), key: readPem(tcp.tls.key) };
    this.#remote ??= createApp(this.context, { policy: tcpPolicy, allowedHosts: tcp.allowedHosts, tls });
    const address = await listenOnTcp(this.#remote, tcp);
    this.context.log.info({ address, tls: tls !== undefined }, 'listening');
  }

  /** A port is one process's: its next owner cannot listen before. Connections stay. */
  leavePort(): void {
    // That of HTTP would close the connections that are idle, too.
    if (this.#remote) NetServer.prototype.close.call(this.#remote.server);
  }

  /** Resolves once nobody is connected any more, or it is too late to wait for that. */
  async left(withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (performance.now() < deadline && (await this.#areConnected())) await sleep(LOOK_EVERY_MS);
  }

  /** Requests under way are cut off. */
  async close(): Promise<void> {
    if (this.#socket) {
      this.#socket.remove();
      await removeForsaken(this.context.settings.socket);
    }
    await Promise.all(this.#apps.map((app) => app.close()));
  }

  get #apps(): FastifyInstance[] {
    return [this.#local, this.#remote].filter((app) => app !== undefined);
  }

  async #areConnected(): Promise<boolean> {
    const counts = this.#apps.map(
      ({ server }) =>
        new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count ?? 0))),
    );
    return (await Promise.all(counts)).some((count) => count > 0);
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw apiErrors.SETTING_INVALID('tls', messageOf(error));
  }
}
