/** The flags of `caisson run` as a ContainerConfig. Here only their form counts: the core checks what they say. */
import { resolve } from 'node:path';
import type { ContainerConfig, Resources, Volume } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';
import { persistentVolumeOf, tmpfsOf, volumeOf } from './volume-flags.js';

export interface ContainerFlags {
  readonly rootfs?: string | undefined;
  readonly user?: string | undefined;
  readonly env?: readonly string[] | undefined;
  readonly workdir?: string | undefined;
  readonly executable?: string | undefined;
  readonly terminal?: true | undefined;
  readonly init?: true | undefined;
  readonly label?: readonly string[] | undefined;
  readonly rlimit?: readonly string[] | undefined;
  readonly resource?: readonly string[] | undefined;
  readonly limit?: readonly string[] | undefined;
  readonly effectiveCapabilities?: string | undefined;
  readonly boundingCapabilities?: string | undefined;
  readonly privileged?: true | undefined;
  readonly allowNewPrivileges?: true | undefined;
  readonly sharePidNamespace?: true | undefined;
  readonly oomScoreAdj?: string | undefined;
  readonly volume?: readonly string[] | undefined;
  readonly tmpfs?: readonly string[] | undefined;
  readonly persistentVolume?: readonly string[] | undefined;
}

/** What the flags refer to. */
export interface Caller {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly windowSize?: ContainerConfig['windowSize'];
}

const RLIMIT_EXAMPLE = 'NOFILE=1024:2048';

/** Throws FLAG_INVALID. */
export function containerConfigOf(
  argv: readonly string[],
  flags: ContainerFlags,
  caller: Caller,
): ContainerConfig {
  const capabilities = withoutAbsent({
    effective: list(flags.effectiveCapabilities),
    bounding: list(flags.boundingCapabilities),
  });
  return withoutAbsent({
    argv: [...argv],
    executable: flags.executable,
    environment: environmentOf(flags, caller),
    user: flags.user,
    workingDirectory: flags.workdir,
    rootfs: flags.rootfs === undefined ? undefined : resolve(caller.directory, flags.rootfs),
    resources: resourcesOf(flags),
    limits: amounts('--limit', flags.limit),
    sharePidNamespace: flags.sharePidNamespace,
    privileged: flags.privileged,
    capabilities: Object.keys(capabilities).length > 0 ? capabilities : undefined,
    rlimits: pairs('--rlimit', RLIMIT_EXAMPLE, flags.rlimit, rlimitOf),
    noNewPrivileges: flags.allowNewPrivileges ? false : undefined,
    oomScoreAdj:
      flags.oomScoreAdj === undefined ? undefined : numberOf('--oom-score-adj', flags.oomScoreAdj, '-500'),
    init: flags.init,
    volumes: volumesOf(flags),
    stdio: flags.terminal ? 'terminal' : 'inherit',
    windowSize: flags.terminal ? caller.windowSize : undefined,
    labels: pairs('--label', 'team=storage', flags.label, (value) => value),
    dieWithParent: true,
  }) as ContainerConfig;
}

/** Nothing is inherited, but a terminal is useless to a program that does not know its kind. */
function environmentOf(flags: ContainerFlags, caller: Caller): Record<string, string> | undefined {
  const given = (flags.env ?? []).flatMap((text) => {
    if (text.includes('=')) return text;
    const value = caller.environment[text];
    return value === undefined ? [] : `${text}=${value}`;
  });
  const terminal = flags.terminal ? [`TERM=${caller.environment.TERM ?? 'xterm'}`] : [];
  return pairs('--env', 'PATH=/bin', [...terminal, ...given], (value) => value);
}

const amounts = (flag: string, values: readonly string[] | undefined) =>
  pairs(flag, 'mem=64', values, (value) => numberOf(flag, value, 'mem=64'));

function resourcesOf(flags: ContainerFlags): Resources | undefined {
  const given = amounts('--resource', flags.resource);
  const volumes = flags.persistentVolume?.map(persistentVolumeOf);
  return volumes ? { ...given, volumes } : given;
}

function volumesOf({ volume = [], tmpfs = [] }: ContainerFlags): Volume[] | undefined {
  const volumes = [...volume.map(volumeOf), ...tmpfs.map(tmpfsOf)];
  return volumes.length > 0 ? volumes : undefined;
}

/** `1024:2048` is soft and hard, `1024` both. */
function rlimitOf(text: string): { soft: number | 'unlimited'; hard: number | 'unlimited' } {
  const [soft = '', hard = soft, ...more] = text.split(':');
  if (more.length > 0) throw errors.FLAG_INVALID('--rlimit', text, RLIMIT_EXAMPLE);
  const limitOf = (limit: string) =>
    limit === 'unlimited' ? limit : numberOf('--rlimit', limit, RLIMIT_EXAMPLE);
  return { soft: limitOf(soft), hard: limitOf(hard) };
}

function numberOf(flag: string, text: string, example: string): number {
  if (!/^-?\d+(\.\d+)?$/.test(text)) throw errors.FLAG_INVALID(flag, text, example);
  return Number(text);
}

const list = (text: string | undefined): string[] | undefined =>
  text
    ?.split(',')
    .map((name) => name.trim().replace(/^CAP_/, ''))
    .filter(Boolean);

/** `name=value` of a repeated flag; the last of one name counts. Undefined if there are none. */
function pairs<Value>(
  flag: string,
  example: string,
  texts: readonly string[] | undefined,
  parse: (text: string) => Value,
): Record<string, Value> | undefined {
  if (!texts || texts.length === 0) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw errors.FLAG_INVALID(flag, text, example);
      return [text.slice(0, equals), parse(text.slice(equals + 1))];
    }),
  );
}

const withoutAbsent = <T extends object>(object: T): Partial<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
