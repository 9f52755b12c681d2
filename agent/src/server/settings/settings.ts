/** What the agent itself is told, beside the configuration of containers: where it listens, to whom, how much. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type ContainerConfig, durationOption, formatDuration, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { type AccessPolicy, Credentials, type Right } from '../http/authentication.js';
import { defaultContainerOf } from './default-container.js';

const bool = z.enum(['true', '1', 'false', '0']).transform((text) => text === 'true' || text === '1');
const number = z.string().regex(/^\d+$/, 'must be a whole number').transform(Number);
const fraction = z
  .string()
  .regex(/^(0?\.\d+|[01](\.0+)?)$/, 'must be a number from 0 to 1')
  .transform(Number);
/** Mesos takes `file:///path` for a path. */
const file = z
  .string()
  .min(1)
  .transform((text) => text.replace(/^file:\/\//, ''));
const list = z.string().transform((text) => text.split(',').filter(Boolean));

/** Texts, as flags and variables are. Names in any spelling: `http_credentials`, `http-credentials`. */
export const SettingsSchema = z.strictObject({
  ip: z.union([z.ipv4(), z.ipv6()]).optional(),
  port: number.refine((port) => port <= 65535, 'must be a port').optional(),
  hostname: z.string().min(1).default(hostname()),
  allowedHost: list.default([]),
  httpCredentials: file.optional(),
  authenticateHttpReadonly: bool.default(false),
  authenticateHttpReadwrite: bool.default(false),
  tcpWithoutAuthentication: bool.default(false),
  tlsCert: file.optional(),
  tlsKey: file.optional(),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  httpHeartbeatInterval: durationOption().default(30_000),
  gcDelay: durationOption().default(7 * 86_400_000),
  gcDiskHeadroom: fraction.default(0.1),
  diskWatchInterval: durationOption().default(60_000),
  defaultContainerInfo: z.string().optional(),
  maxWaiters: number.default(4096),
  maxConnections: number.default(8192),
});
export type ParsedSettings = z.output<typeof SettingsSchema>;

export interface TcpAddress {
  readonly ip: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Names under which it may be asked for. */
  readonly allowedHosts: readonly string[];
}

/** Numbers that bound what callers may cost (threat model A3). */
export interface Limits {
  readonly bodyBytes: number;
  readonly connections: number;
  readonly waiters: number;
  /** For the headers, then for the whole request. */
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  /** How long a client that does not read may hold a container up that it has attached to. */
  readonly slowReaderMs: number;
}

export interface Settings {
  readonly hostname: string;
  readonly socket: string;
  readonly tcp: TcpAddress | undefined;
  readonly socketPolicy: AccessPolicy;
  readonly tcpPolicy: AccessPolicy;
  readonly logLevel: string;
  readonly heartbeatMs: number;
  readonly gcDelayMs: number;
  readonly gcDiskHeadroom: number;
  /** How often it is looked which containers are due. */
  readonly diskWatchMs: number;
  readonly limits: Limits;
  /** What outermost containers have that say nothing of it. */
  readonly defaultContainer: Partial<ContainerConfig>;
  readonly parsed: ParsedSettings;
}

const DEFAULT_PORT = 5051;
const LOOPBACK = '127.0.0.1';

/** @throws TCP_UNAUTHENTICATED, CREDENTIALS_INVALID, SETTING_INVALID */
export function settingsOf(parsed: ParsedSettings, runtimeDir: string): Settings {
  const { httpCredentials, authenticateHttpReadonly, authenticateHttpReadwrite } = parsed;
  const credentials = httpCredentials === undefined ? undefined : Credentials.read(httpCredentials);
  if ((authenticateHttpReadonly || authenticateHttpReadwrite) && !credentials)
    throw apiErrors.SETTING_INVALID('authenticate_http_*', 'needs --http-credentials');
  const tcp = tcpOf(parsed);
  if (tcp && !credentials && !parsed.tcpWithoutAuthentication)
    throw apiErrors.TCP_UNAUTHENTICATED(`${tcp.ip}:${tcp.port}`);
  const asked: Right[] = [
    ...(authenticateHttpReadonly ? (['read'] as const) : []),
    ...(authenticateHttpReadwrite ? (['write'] as const) : []),
  ];
  return {
    hostname: parsed.hostname,
    socket: join(runtimeDir, 'agent.sock'),
    tcp,
    // Who reaches the socket passed a directory that is its owner's alone (A1).
    socketPolicy: { credentials, protects: asked },
    tcpPolicy: { credentials, protects: parsed.tcpWithoutAuthentication ? asked : ['read', 'write'] },
    logLevel: parsed.logLevel,
    heartbeatMs: parsed.httpHeartbeatInterval,
    gcDelayMs: parsed.gcDelay,
    gcDiskHeadroom: parsed.gcDiskHeadroom,
    diskWatchMs: parsed.diskWatchInterval,
    defaultContainer: defaultContainerOf(parsed.defaultContainerInfo),
    limits: {
      bodyBytes: 1024 * 1024,
      connections: parsed.maxConnections,
      waiters: parsed.maxWaiters,
      headersMs: 10_000,
      requestMs: 30_000,
      idleMs: 5_000,
      slowReaderMs: 5_000,
    },
    parsed,
  };
}

function tcpOf({
  ip,
  port,
  tlsCert,
  tlsKey,
  hostname: name,
  allowedHost,
}: ParsedSettings): TcpAddress | undefined {
  if (ip === undefined && port === undefined) return undefined;
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw apiErrors.SETTING_INVALID('tls', 'give both --tls-cert and --tls-key');
  const address = ip ?? LOOPBACK;
  return {
    ip: address,
    port: port ?? DEFAULT_PORT,
    tls: tlsCert !== undefined && tlsKey !== undefined ? { cert: tlsCert, key: tlsKey } : undefined,
    allowedHosts: [address, 'localhost', LOOPBACK, '::1', name, ...allowedHost].map((each) =>
      each.toLowerCase(),
    ),
  };
}

/** For GET_FLAGS: durations as they are written. Of credentials the file. */
export function flagsOfSettings({ parsed }: Settings): Record<string, unknown> {
  return {
    ...parsed,
    gcDelay: formatDuration(parsed.gcDelay),
    diskWatchInterval: formatDuration(parsed.diskWatchInterval),
    httpHeartbeatInterval: formatDuration(parsed.httpHeartbeatInterval),
  };
}
