/** What the agent counts: for Prometheus, and under the names of Mesos. */
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ContainerEvent, ContainerSummary } from '@caisson/core';
import { isCaissonError } from '@caisson/plugin-sdk';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** From half a millisecond, the fastest launches, to a minute, the longest time-outs. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
const STATES = ['PREPARING', 'ISOLATING', 'RUNNING', 'DESTROYING', 'ENDED'] as const;

type List = () => readonly Pick<ContainerSummary, 'state'>[];

export class Metrics {
  readonly #registry = new Registry();
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  #list: List = () => [];
  #recoverySeconds = 0;
  /** Calls that wait for the end of a container. */
  waiters = 0;

  readonly #launches = this.#counter('caisson_launches_total', 'launches that were answered', ['outcome']);
  readonly #failures = this.#counter(
    'caisson_launch_failures_total',
    'launches that failed, by where: a phase and its isolator, or a step of the launcher',
    ['phase', 'isolator'],
  );
  readonly #destroys = this.#counter('caisson_ended_total', 'containers that ended, by reason', ['reason']);
  readonly #destroyErrors = this.#counter(
    'caisson_destroy_errors_total',
    'attempts to undo a container that failed',
  );
  readonly #taps = new Histogram({
    name: 'caisson_phase_seconds',
    help: 'how long the taps of isolators take',
    labelNames: ['phase', 'isolator'],
    buckets: SECONDS,
    registers: [this.#registry],
  });

  constructor(private readonly startTime: number) {
    this.#delay.enable();
    this.#gauge('caisson_containers', 'containers that are known, by state', ['state'], (gauge) => {
      for (const state of STATES)
        gauge.set({ state }, this.#list().filter((each) => each.state === state).length);
    });
    this.#gauge(
      'caisson_event_loop_delay_seconds',
      'delay of the event loop, by quantile',
      ['quantile'],
      (gauge) => {
        for (const quantile of [0.5, 0.9, 0.99, 1])
          gauge.set({ quantile: String(quantile) }, this.#delayAt(quantile));
      },
    );
    this.#gauge('caisson_uptime_seconds', 'since the start of the agent', [], (gauge) =>
      gauge.set(this.#uptime()),
    );
    this.#gauge('caisson_waiters', 'calls that wait for the end of a container', [], (gauge) =>
      gauge.set(this.waiters),
    );
    this.#gauge('process_resident_memory_bytes', 'memory of the agent', [], (gauge) =>
      gauge.set(process.memoryUsage.rss()),
    );
  }

  get recoverySeconds(): number {
    return this.#recoverySeconds;
  }

  /** From the end of recovery on. */
  observe(
    containers: { list: List; onEvent(listener: (event: ContainerEvent) => void): unknown },
    recoverySeconds: number,
  ): void {
    this.#list = containers.list;
    this.#recoverySeconds = recoverySeconds;
    containers.onEvent((event) => this.#count(event));
  }

  /** For Prometheus. */
  async text(): Promise<{ type: string; body: string }> {
    return { type: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  /** Flat, under the names of Mesos, then ours. */
  async snapshot(): Promise<Record<string, number>> {
    const metrics = await this.#registry.getMetricsAsJSON();
    const failed = (await this.#launches.get()).values.find(({ labels }) => labels.outcome === 'failed');
    const errors = (await this.#destroyErrors.get()).values[0];
    return {
      'slave/uptime_secs': this.#uptime(),
      'slave/registered': 0,
      'slave/recovery_errors': 0,
      'slave/recovery_time_secs': this.#recoverySeconds,
      'slave/container_launch_errors': failed?.value ?? 0,
      'containerizer/mesos/container_destroy_errors': errors?.value ?? 0,
      ...systemFigures(),
      ...Object.fromEntries(metrics.flatMap((each) => flat(each as unknown as Metric))),
    };
  }

  close(): void {
    this.#delay.disable();
  }

  #count(event: ContainerEvent): void {
    switch (event.type) {
      case 'tap':
        this.#taps.observe({ phase: event.phase, isolator: event.isolator }, event.ms / 1000);
        break;
      case 'launch-failed':
        this.#launches.inc({ outcome: 'failed' });
        this.#failures.inc(placeOf(event.error));
        break;
      case 'state':
        if (event.state === 'RUNNING') this.#launches.inc({ outcome: 'launched' });
        break;
      case 'ended':
        this.#destroys.inc({ reason: event.termination.reason });
        break;
      case 'destroy-failed':
        this.#destroyErrors.inc();
        break;
    }
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void {
    const registers = [this.#registry];
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect: function () {
        collect(this);
      },
    });
  }

  #uptime(): number {
    return Date.now() / 1000 - this.startTime;
  }

  #delayAt(quantile: number): number {
    const ns = quantile === 1 ? this.#delay.max : this.#delay.percentile(quantile * 100);
    return Number.isFinite(ns) ? ns / 1e9 : 0;
  }
}

/** Where a launch failed. */
function placeOf(error: Error): { phase: string; isolator: string } {
  const { phase, isolator, step, launcher } = isCaissonError(error) ? error.details : {};
  return { phase: String(phase ?? step ?? 'other'), isolator: String(isolator ?? launcher ?? '') };
}

const systemFigures = (): Record<string, number> => {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    'system/cpus_total': cpus().length,
    'system/load_1min': one,
    'system/load_5min': five,
    'system/load_15min': fifteen,
    'system/mem_total_bytes': totalmem(),
    'system/mem_free_bytes': freemem(),
  };
};

interface Metric {
  readonly name: string;
  readonly values: readonly { value: number; labels: Record<string, unknown>; metricName?: string }[];
}

/** `caisson_containers/RUNNING`; of a histogram its sum and count. */
const flat = ({ name, values }: Metric): [string, number][] =>
  values
    .filter(({ labels }) => labels.le === undefined)
    .map(({ value, labels, metricName = name }) => [[metricName, ...Object.values(labels)].join('/'), value]);
