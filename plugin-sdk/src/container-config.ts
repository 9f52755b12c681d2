import { z } from 'zod';
import { PersistentVolumesSchema } from './persistent-volume.js';
import { VolumesSchema } from './volumes.js';

/** No NUL: it would end the string early in the kernel. No `__proto__` as a key (threat model K4). */
const text = z.string().refine((s) => !s.includes('\0'), 'must not contain a NUL character');
const absolutePath = text.refine((s) => s.startsWith('/'), 'must be an absolute path');

const environmentName = text.refine(
  (s) => s !== '' && !s.includes('=') && s !== '__proto__',
  'a variable name is not empty and holds no "="',
);

const amount = z.number().nonnegative();

/**
 * Scalars: `cpus` in cores, `mem` and `disk` in MiB, `gpus` and `pids` (processes and threads at once) whole. `disk` is the
 * sandbox's; a persistent volume brings its own.
 */
export const ResourcesSchema = z.strictObject({
  cpus: amount.optional(),
  mem: amount.optional(),
  disk: amount.optional(),
  gpus: amount.optional(),
  pids: z.number().int().positive().optional(),
  volumes: PersistentVolumesSchema.optional(),
});
export type Resources = z.infer<typeof ResourcesSchema>;

/** Of amounts only: a volume has no other limit than its size. */
export const LimitsSchema = ResourcesSchema.omit({ volumes: true });

/** Names as in getrlimit(2), without `RLIMIT_`; a limit of `unlimited` is RLIM_INFINITY. */
export const RLIMIT_NAMES = [
  'AS',
  'CORE',
  'CPU',
  'DATA',
  'FSIZE',
  'LOCKS',
  'MEMLOCK',
  'MSGQUEUE',
  'NICE',
  'NOFILE',
  'NPROC',
  'RSS',
  'RTPRIO',
  'RTTIME',
  'SIGPENDING',
  'STACK',
] as const;
export type RlimitName = (typeof RLIMIT_NAMES)[number];
const rlimitValue = z.union([z.number().int().nonnegative(), z.literal('unlimited')]);
export const RlimitSchema = z.strictObject({ soft: rlimitValue, hard: rlimitValue });
export type Rlimit = z.infer<typeof RlimitSchema>;

const capabilityName = z
  .string()
  .regex(/^[A-Z][A-Z_]+$/, 'a capability is written like NET_ADMIN, without CAP_');
const capabilityList = z.array(capabilityName).max(64);

/**
 * What a container shall be: the input of a launch, checkpointed with it. Strict: an unknown key is an error.
 */
export const ContainerConfigSchema = z.strictObject({
  /** The command: `argv[0]` is looked up in the container's PATH unless `executable` names the file. */
  argv: z
    .array(text)
    .min(1, 'the command is empty')
    .refine((a) => a[0] !== '', 'the command is empty'),
  executable: text.min(1).optional(),
  /** The container's whole environment; nothing is inherited. PATH has a default. */
  environment: z.record(environmentName, text).optional(),
  /** A name, a uid, or `user:group`, resolved on the host before the launch. Default: the caller's user. */
  user: text.min(1).optional(),
  /** Inside the container. Default: the sandbox; with a root filesystem `/`. */
  workingDirectory: absolutePath.optional(),
  /** A directory of the host that becomes `/`. */
  rootfs: text.min(1).optional(),
  resources: ResourcesSchema.optional(),
  /** Hard limits where they differ from `resources`. */
  limits: LimitsSchema.optional(),
  class: z.enum(['DEFAULT', 'DEBUG']).optional(),
  /** Stay in the pid namespace of the agent (or of the parent): asked for by name. */
  sharePidNamespace: z.boolean().optional(),
  /** All capabilities, nothing masked: root on the host for a container of uid 0. */
  privileged: z.boolean().optional(),
  capabilities: z
    .strictObject({ effective: capabilityList.optional(), bounding: capabilityList.optional() })
    .optional(),
  rlimits: z.partialRecord(z.enum(RLIMIT_NAMES), RlimitSchema).optional(),
  /** Default true (PR_SET_NO_NEW_PRIVS). */
  noNewPrivileges: z.boolean().optional(),
  /**
   * A nested container is counted and limited with the one that it is nested in. False: it has cgroups, and limits, of its own
   * within those; only directly below an outermost container. Default true.
   */
  shareCgroups: z.boolean().optional(),
  /** The network class that cgroups/net_cls gives it: a handle of its pool, major << 16 | minor. Default: the next free one. */
  netClsClassid: z.number().int().min(0x10001).max(0xffffffff).optional(),
  /** -1000 to 1000, default 0: never the agent's own. */
  oomScoreAdj: z.number().int().min(-1000).max(1000).optional(),
  /** An init that reaps zombies, as the container's first process. */
  init: z.boolean().optional(),
  /**
   * Where 0, 1 and 2 go. `files`: /dev/null and the sandbox's `stdout` and `stderr` (default). `inherit`: the
   * caller's. `terminal`: a terminal of the container's own devpts. `pipes`: what is written to one and read from the
   * others is up to whoever holds their other ends: an agent, for those who attach to the container.
   */
  stdio: z.enum(['files', 'inherit', 'terminal', 'pipes']).optional(),
  /** Size of the terminal in characters. */
  windowSize: z
    .strictObject({ columns: z.number().int().min(0).max(65535), rows: z.number().int().min(0).max(65535) })
    .optional(),
  /** Ends when the process that launched it ends, even by SIGKILL. Default false: it goes on and is taken up again. */
  dieWithParent: z.boolean().optional(),
  /** Files from elsewhere; what no enabled isolator serves is refused. */
  volumes: VolumesSchema.optional(),
  /** Free for the caller; steers nothing. */
  labels: z.record(z.string().max(256), z.string().max(4096)).optional(),
});

export type ContainerConfig = z.infer<typeof ContainerConfigSchema>;
