/** An agent whose containers are made of nothing, for tests of the API alone. */
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerEvent, Containerizer, ContainerSummary } from '@caisson/core';
import { type ContainerConfig, defineErrors, parentOf, type Termination } from '@caisson/plugin-sdk';
import type { FastifyInstance, InjectOptions } from 'fastify';
import type { AgentContext, Containers } from '../context.js';
import { createApp, type Listener } from '../http/app.js';
import { createLog } from '../logging.js';
import { Metrics } from '../metrics/metrics.js';
import { type Settings, SettingsSchema, settingsOf } from '../settings/settings.js';
import { Switchboard } from '../switchboard/switchboard.js';
import { Handover } from '../takeover/handover.js';
import { FakePipes } from './fake-pipes.js';

const errors = defineErrors({
  CONTAINER_UNKNOWN: { kind: 'not-found', message: (id: string) => `there is no container ${id}` },
  CONTAINER_EXISTS: { kind: 'conflict', message: (id: string) => `there is a container ${id} already` },
  CONTAINER_NOT_ENDED: { kind: 'conflict', message: (id: string) => `container ${id} has not ended yet` },
});

interface FakeContainer {
  readonly id: string;
  readonly config: ContainerConfig;
  readonly ended: Promise<Termination>;
  end(termination: Termination): void;
  termination: Termination | undefined;
  readonly pipes: FakePipes | undefined;
}

/** Containers that are only remembered. */
export class FakeContainers {
  readonly directory = mkdtempSync(join(tmpdir(), 'caisson-fake-'));
  readonly known = new Map<string, FakeContainer>();
  readonly calls: unknown[][] = [];
  readonly #listeners = new Set<(event: ContainerEvent) => void>();
  /** What the next launch throws. */
  failure: unknown;
  readonly selection = { launcher: 'fake', isolation: ['fake/none'], skipped: [] };
  readonly configuration = {
    values: { workDir: this.directory, runtimeDir: this.directory },
  } as Containerizer['configuration'];

  async launch(id: string, config: ContainerConfig) {
    this.calls.push(['launch', id, config]);
    if (this.known.has(id)) throw errors.CONTAINER_EXISTS(id);
    const parent = parentOf(id);
    if (parent !== undefined) this.#find(parent);
    if (this.failure) throw this.failure;
    let end!: (termination: Termination) => void;
    const ended = new Promise<Termination>((resolve) => {
      end = resolve;
    });
    const pipes = config.stdio === 'pipes' ? new FakePipes() : undefined;
    const container: FakeContainer = { id, config, ended, end, termination: undefined, pipes };
    this.known.set(id, container);
    this.emit({ type: 'state', id, state: 'ISOLATING', pid: 1234 });
    this.emit({ type: 'state', id, state: 'RUNNING', pid: 1234 });
    return { id, pid: 1234, sandbox: this.directory };
  }

  end(id: string, termination: Termination): void {
    const container = this.#find(id);
    container.termination = termination;
    container.pipes?.end();
    container.end(termination);
    this.emit({ type: 'ended', id, termination });
  }

  async wait(id: string) {
    return this.#find(id).ended;
  }

  signal(id: string, signal: number): boolean {
    this.calls.push(['signal', id, signal]);
    return this.#find(id).termination === undefined;
  }

  async destroy(id: string) {
    this.calls.push(['destroy', id]);
    this.end(id, { status: 9, signal: 'SIGKILL', reason: 'DESTROYED' });
    return this.wait(id);
  }

  async remove(id: string) {
    if (!this.#find(id).termination) throw errors.CONTAINER_NOT_ENDED(id);
    this.known.delete(id);
    this.emit({ type: 'removed', id });
  }

  async update(id: string, ...allocation: unknown[]) {
    this.#find(id);
    this.calls.push(['update', id, ...allocation]);
  }

  async usage(id: string) {
    this.#find(id);
    return { timestamp: 1, mem_rss_bytes: 4096 };
  }

  async status(id: string) {
    this.#find(id);
    return { container_id: id, executor_pid: 1234 };
  }

  inspect(id: string) {
    const { config } = this.#find(id);
    const summary = this.list().find((each) => each.id === id)!;
    const plan = { argv: config.argv, environment: { ...config.environment } };
    return {
      ...summary,
      config,
      plan,
      resources: {},
      limits: {},
      launcher: 'fake',
      isolation: [],
      timings: {},
    };
  }

  list(): ContainerSummary[] {
    return [...this.known.values()].map(({ id, config, termination }) => ({
      id,
      parentId: parentOf(id),
      class: config.class ?? 'DEFAULT',
      state: termination ? 'ENDED' : 'RUNNING',
      pid: termination ? undefined : 1234,
      sandbox: join(this.directory, 'containers', id, 'sandbox'),
      labels: config.labels ?? {},
      createdAt: 1000,
      termination,
      problem: undefined,
    }));
  }

  terminal() {
    return undefined;
  }

  pipes(id: string): FakePipes | undefined {
    return this.#find(id).pipes;
  }

  openOutput(_id: string, name: string) {
    return openSync(join(this.directory, name), 'a');
  }

  /** What is in the sandbox, which all of them share. */
  outputs(name: 'stdout' | 'stderr'): string {
    return readFileSync(join(this.directory, name), 'utf8');
  }

  onEvent(listener: (event: ContainerEvent) => void) {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: ContainerEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  #find(id: string): FakeContainer {
    const container = this.known.get(id);
    if (!container) throw errors.CONTAINER_UNKNOWN(id);
    return container;
  }
}

/** An API over FakeContainers. */
export class FakeAgent {
  readonly containers = new FakeContainers();
  readonly context: { -readonly [Key in keyof AgentContext]: AgentContext[Key] };
  readonly app: FastifyInstance;

  constructor(listener: Partial<Listener> = {}, settings: Partial<Settings> = {}) {
    const { log, levels } = createLog('info', { write: () => {} });
    const metrics = new Metrics(0);
    const containers = this.containers as unknown as Containers;
    metrics.observe({ list: () => containers.list(), onEvent: (each) => containers.onEvent(each) }, 0);
    const reload = async () => this.containers.selection;
    const usual = settingsOf(SettingsSchema.parse({ hostname: 'here' }), this.containers.directory);
    this.context = {
      settings: { ...usual, ...settings },
      log,
      levels,
      metrics,
      startTime: 0,
      containers,
      switchboard: new Switchboard(containers, log),
      reload,
      handover: new Handover(),
      handOver: async () => new Map(),
    };
    this.app = createApp(this.context, { policy: { credentials: undefined, protects: [] }, ...listener });
  }

  /** The operator API: status, and the body as JSON if there is one. */
  async call(type: string, input?: unknown, options: InjectOptions = {}) {
    const payload = JSON.stringify({ type, ...(input !== undefined && { [type.toLowerCase()]: input }) });
    return this.send({ payload, ...options });
  }

  async send(options: InjectOptions) {
    const { 'content-type': type = 'application/json', ...others } = {
      ...(options.headers as Record<string, string | undefined>),
    };
    const headers = { ...others, ...(type !== '' && { 'content-type': type }) };
    const {
      statusCode: status,
      body,
      headers: answered,
    } = await this.app.inject({
      method: 'POST',
      url: '/api/v1',
      ...options,
      headers,
    });
    return { status, body: body === '' ? undefined : jsonOrText(body), headers: answered };
  }

  async get(url: string, headers: Record<string, string> = {}) {
    return this.send({ method: 'GET', url, headers });
  }

  async close(): Promise<void> {
    await this.app.close();
    this.context.metrics.close();
    this.context.switchboard?.close();
    for (const { pipes } of this.containers.known.values()) pipes?.end();
    rmSync(this.containers.directory, { recursive: true, force: true });
  }
}

function jsonOrText(body: string) {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
