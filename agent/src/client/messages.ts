/** What the agent answers, as far as commands use it. */
import { nameOf, parentOf, type Resources } from '@caisson/plugin-sdk';

export interface WireId {
  readonly value: string;
  readonly parent?: WireId;
}

export function toWire(id: string): WireId {
  const parent = parentOf(id);
  return parent === undefined ? { value: id } : { value: nameOf(id), parent: toWire(parent) };
}

export const fromWire = ({ value, parent }: WireId): string =>
  parent ? `${fromWire(parent)}.${value}` : value;

export interface Ended {
  readonly exit_status?: number;
  readonly exit_code?: number;
  readonly signal?: string;
  readonly cause: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface Statistics {
  readonly timestamp: number;
  readonly processes?: number;
  readonly cpus_user_time_secs?: number;
  readonly cpus_system_time_secs?: number;
  readonly mem_rss_bytes?: number;
  readonly mem_total_bytes?: number;
  readonly mem_limit_bytes?: number;
  readonly disk_used_bytes?: number;
  readonly disk_limit_bytes?: number;
}

export interface Entry {
  readonly container_id: WireId;
  readonly state: string;
  readonly created: number;
  readonly problem?: string;
  readonly termination?: Ended;
  readonly container_status?: { readonly executor_pid?: number };
  readonly resource_statistics?: Statistics;
}

/** Amounts as the API has them. */
export const wireResources = (amounts: Omit<Resources, 'volumes'>): object[] =>
  Object.entries(amounts).map(([name, value]) => ({ name, type: 'SCALAR', scalar: { value } }));

/** `exited 3`, `SIGKILL`, or the reason if nobody knows more. */
export function describeEnd({ exit_code, signal, cause, reason }: Ended): string {
  const how = exit_code !== undefined ? `exited ${exit_code}` : (signal ?? '');
  const why = cause === 'EXITED' ? '' : (reason ?? cause).toLowerCase();
  return [how, why && `(${why})`].filter(Boolean).join(' ');
}
