/** `ps`, `inspect`, `stats`: what there is. */
import { table } from '../table.js';
import type { AgentClient } from './agent-client.js';
import { describeEnd, type Entry, fromWire, type Statistics, toWire } from './messages.js';

const print = (text: string): boolean => process.stdout.write(text);
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

async function entriesOf(client: AgentClient): Promise<readonly Entry[]> {
  const { containers } = await client.call<{ containers: readonly Entry[] }>('GET_CONTAINERS', {
    show_nested: true,
  });
  return containers;
}

export async function ps(
  client: AgentClient,
  { json: asJson, all, quiet }: { json?: true; all?: true; quiet?: true },
): Promise<number> {
  const entries = (await entriesOf(client)).filter(({ state }) => all || state !== 'ENDED');
  if (asJson) print(json(entries));
  else if (quiet) print(entries.map(({ container_id }) => `${fromWire(container_id)}\n`).join(''));
  else print(`${table(['ID', 'STATE', 'PID', 'AGE', 'NOTE'], entries.map(rowOf), process.stdout.columns)}\n`);
  return 0;
}

function rowOf({ container_id, state, container_status, created, termination, problem }: Entry): string[] {
  return [
    fromWire(container_id),
    state.toLowerCase(),
    String(container_status?.executor_pid ?? '-'),
    age(Date.now() / 1000 - created),
    problem ?? (termination ? describeEnd(termination) : '-'),
  ];
}

/** In the largest unit that it fills. */
export function age(seconds: number): string {
  const [unit, size] = (
    [
      ['d', 86_400],
      ['h', 3600],
      ['m', 60],
    ] as const
  ).find(([, each]) => seconds >= each) ?? ['s', 1];
  return `${Math.max(Math.floor(seconds / size), 0)}${unit}`;
}

/** Everything is for programs, and people read JSON too. */
export async function inspect(
  client: AgentClient,
  id: string,
  { syscalls }: { syscalls?: true },
): Promise<number> {
  const details = await client.call<{ system_calls?: string }>('GET_CONTAINER', {
    container_id: toWire(id),
    show_system_calls: syscalls === true,
  });
  print(syscalls ? `${details.system_calls ?? ''}\n` : json(details));
  return 0;
}

interface Sample {
  readonly at: number;
  readonly cpu: number;
}

const INTERVAL_MS = 1000;

/** A table that is drawn again each second on a terminal; once, or with `--once`, elsewhere. */
export async function stats(
  client: AgentClient,
  ids: readonly string[],
  { json: asJson, once }: { json?: true; once?: true },
): Promise<number> {
  const last = new Map<string, Sample>();
  for (;;) {
    const entries = (await entriesOf(client)).filter(
      ({ container_id, resource_statistics }) =>
        resource_statistics && (ids.length === 0 || ids.includes(fromWire(container_id))),
    );
    if (asJson)
      print(
        json(
          entries.map(({ container_id, resource_statistics }) => ({
            id: fromWire(container_id),
            ...resource_statistics,
          })),
        ),
      );
    else draw(entries.map((each) => statisticsRow(each, last)));
    if (asJson || once || !process.stdout.isTTY) return 0;
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
}

function draw(rows: readonly string[][]): void {
  const clear = process.stdout.isTTY ? '\x1b[H\x1b[2J' : '';
  print(
    `${clear}${table(['ID', 'CPU', 'MEMORY', 'LIMIT', 'DISK', 'QUOTA', 'PROCESSES'], rows, process.stdout.columns)}\n`,
  );
}

function statisticsRow(
  { container_id, resource_statistics: figures }: Entry,
  last: Map<string, Sample>,
): string[] {
  const id = fromWire(container_id);
  const { mem_total_bytes, mem_rss_bytes, mem_limit_bytes, processes } = figures!;
  const { disk_used_bytes, disk_limit_bytes } = figures!;
  return [
    id,
    cpuShare(id, figures!, last),
    bytes(mem_total_bytes ?? mem_rss_bytes),
    bytes(mem_limit_bytes),
    bytes(disk_used_bytes),
    bytes(disk_limit_bytes),
    String(processes ?? '-'),
  ];
}

/** Of one core since the last look; known from the second one on. */
function cpuShare(id: string, { timestamp, ...figures }: Statistics, last: Map<string, Sample>): string {
  const { cpus_user_time_secs: user, cpus_system_time_secs: system } = figures;
  if (user === undefined || system === undefined) return '-';
  const before = last.get(id);
  last.set(id, { at: timestamp, cpu: user + system });
  if (!before || timestamp <= before.at) return '-';
  return `${(((user + system - before.cpu) / (timestamp - before.at)) * 100).toFixed(1)}%`;
}

/** Three digits and a unit. */
export function bytes(count: number | undefined): string {
  if (count === undefined) return '-';
  const power = count > 0 ? Math.min(Math.floor(Math.log2(count) / 10), 4) : 0;
  return `${Number((count / 2 ** (10 * power)).toPrecision(3))}${['B', 'KB', 'MB', 'GB', 'TB'][power]}`;
}
