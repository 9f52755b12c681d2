/**
 * What LAUNCH_CONTAINER says: in the messages of Mesos (`command`, `container`), or as a configuration of the core
 * (`config`), which knows more. Unknown fields are ignored, as protobuf does; known ones that this agent cannot honour are
 * refused by name, for a container without its volume or its image would be another one.
 */
import { type ContainerConfig, ContainerConfigSchema, RLIMIT_NAMES, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { WireIdSchema } from '../http/ids.js';
import { TtyInfoSchema } from '../switchboard/process-io.js';
import { volumeOf, WireVolumeSchema } from './container-volumes.js';
import { LimitsSchema, limitsOf, ResourceSchema, resourcesOf } from './resources.js';

const VariableSchema = z.object({
  name: z.string().min(1),
  type: z.enum(['VALUE', 'SECRET']).default('VALUE'),
  value: z.string().optional(),
  secret: z
    .object({ type: z.enum(['REFERENCE', 'VALUE']), value: z.object({ data: z.base64() }).optional() })
    .optional(),
});

export const CommandInfoSchema = z.object({
  value: z.string().optional(),
  shell: z.boolean().default(true),
  arguments: z.array(z.string()).default([]),
  environment: z.object({ variables: z.array(VariableSchema).default([]) }).optional(),
  user: z.string().min(1).optional(),
  uris: z.array(z.unknown()).default([]),
});

const CapabilityInfoSchema = z.object({ capabilities: z.array(z.string()).default([]) });

export const ContainerInfoSchema = z.object({
  type: z.enum(['MESOS', 'DOCKER']).default('MESOS'),
  volumes: z.array(WireVolumeSchema).default([]),
  hostname: z.string().optional(),
  mesos: z.object({ image: z.unknown().optional() }).optional(),
  network_infos: z.array(z.unknown()).default([]),
  linux_info: z
    .object({
      effective_capabilities: CapabilityInfoSchema.optional(),
      capability_info: CapabilityInfoSchema.optional(),
      bounding_capabilities: CapabilityInfoSchema.optional(),
      share_pid_namespace: z.boolean().optional(),
      share_cgroups: z.boolean().optional(),
      seccomp: z.unknown().optional(),
      ipc_mode: z.unknown().optional(),
      shm_size: z.unknown().optional(),
    })
    .optional(),
  rlimit_info: z
    .object({
      rlimits: z
        .array(
          z.object({
            type: z.enum(RLIMIT_NAMES.map((name) => `RLMT_${name}` as const)),
            hard: z.number().int().nonnegative().optional(),
            soft: z.number().int().nonnegative().optional(),
          }),
        )
        .default([]),
    })
    .optional(),
  tty_info: TtyInfoSchema.optional(),
});

export const LaunchSchema = z.object({
  container_id: WireIdSchema,
  command: CommandInfoSchema.optional(),
  resources: z.array(ResourceSchema).default([]),
  container: ContainerInfoSchema.optional(),
  limits: LimitsSchema.optional(),
  config: ContainerConfigSchema.optional(),
});
export type LaunchMessage = z.infer<typeof LaunchSchema>;
type Command = z.infer<typeof CommandInfoSchema>;
type Info = z.infer<typeof ContainerInfoSchema>;

/** The variables whose values nobody is shown. */
export const SECRET_VARIABLES = 'caisson/secret-variables';

/** @throws UNSUPPORTED_FIELD, CALL_INVALID */
export function configOf(message: LaunchMessage): ContainerConfig {
  const { config, command, container, resources, limits } = message;
  if (config) return checkConfig(message, config);
  if (!command) throw invalid('command: required');
  const variables = command.environment?.variables ?? [];
  const secrets = variables.filter(({ type }) => type === 'SECRET').map(({ name }) => name);
  return {
    ...commandOf(command),
    ...(variables.length > 0 && { environment: Object.fromEntries(variables.map(variableOf)) }),
    ...(command.user !== undefined && { user: command.user }),
    ...(resources.length > 0 && { resources: resourcesOf(resources) }),
    ...(limits && { limits: limitsOf(limits) }),
    ...(container && infoOf(container)),
    ...(secrets.length > 0 && { labels: { [SECRET_VARIABLES]: secrets.join(' ') } }),
  };
}

const invalid = (problem: string) => apiErrors.CALL_INVALID('LAUNCH_CONTAINER', [problem]);

/** The agent's own stdio is no container's. */
function checkConfig(message: LaunchMessage, config: ContainerConfig): ContainerConfig {
  if (message.command || message.container || message.resources.length > 0 || message.limits)
    throw invalid('config: stands instead of command, container, resources and limits');
  if (config.stdio === 'inherit')
    throw apiErrors.UNSUPPORTED_FIELD(
      'config.stdio',
      'an agent has no stdio to lend: files, terminal or pipes',
    );
  if (config.dieWithParent)
    throw apiErrors.UNSUPPORTED_FIELD('config.dieWithParent', 'containers outlive the agent');
  return config;
}

function commandOf({
  shell,
  value,
  arguments: argv,
  uris,
}: Command): Pick<ContainerConfig, 'argv' | 'executable'> {
  if (uris.length > 0) throw apiErrors.UNSUPPORTED_FIELD('command.uris', 'nothing is fetched');
  if (!value) throw invalid('command.value: required');
  if (shell) return { argv: ['/bin/sh', '-c', value] };
  if (argv.length === 0) return { argv: [value] };
  return argv[0] === value ? { argv } : { argv, executable: value };
}

function variableOf({ name, type, value, secret }: z.infer<typeof VariableSchema>): [string, string] {
  if (type === 'VALUE') {
    if (value === undefined || secret)
      throw invalid(`command.environment: ${name}: a VALUE has a value and no secret`);
    return [name, value];
  }
  if (secret?.type === 'REFERENCE')
    throw apiErrors.UNSUPPORTED_FIELD(`secret of ${name}`, 'there is no secret store');
  const data = secret?.value?.data;
  if (data === undefined) throw invalid(`command.environment: ${name}: a SECRET has a secret`);
  const text = Buffer.from(data, 'base64').toString('utf8');
  if (text.includes('\0')) throw invalid(`command.environment: ${name}: a NUL character is not allowed`);
  return [name, text];
}

/** What no isolator of ours does yet: by field. */
function refuseUnsupported({ type, hostname, mesos, network_infos, linux_info }: Info): void {
  const unsupported = Object.entries({
    'container.type DOCKER': type === 'DOCKER',
    'container.hostname': hostname !== undefined,
    'container.mesos.image': mesos?.image !== undefined,
    'container.network_infos': network_infos.length > 0,
    'container.linux_info.seccomp': linux_info?.seccomp !== undefined,
    'container.linux_info.ipc_mode': linux_info?.ipc_mode !== undefined,
    'container.linux_info.shm_size': linux_info?.shm_size !== undefined,
  }).find(([, isAsked]) => isAsked);
  if (unsupported) throw apiErrors.UNSUPPORTED_FIELD(unsupported[0], 'not supported yet');
}

/** @throws UNSUPPORTED_FIELD, CALL_INVALID */
export function infoOf(info: Info): Partial<ContainerConfig> {
  refuseUnsupported(info);
  const { linux_info: linux, rlimit_info, tty_info, volumes } = info;
  const effective = linux?.effective_capabilities ?? linux?.capability_info;
  const bounding = linux?.bounding_capabilities;
  const rlimits = rlimit_info?.rlimits ?? [];
  return {
    ...((effective || bounding) && {
      capabilities: {
        ...(effective && { effective: effective.capabilities }),
        ...(bounding && { bounding: bounding.capabilities }),
      },
    }),
    ...(linux?.share_pid_namespace !== undefined && { sharePidNamespace: linux.share_pid_namespace }),
    ...(linux?.share_cgroups !== undefined && { shareCgroups: linux.share_cgroups }),
    ...(volumes.length > 0 && { volumes: volumes.map(volumeOf) }),
    ...(tty_info && { stdio: 'terminal' as const }),
    ...(tty_info?.window_size && { windowSize: tty_info.window_size }),
    ...(rlimits.length > 0 && { rlimits: Object.fromEntries(rlimits.map(rlimitOf)) }),
  };
}

/** Both absent is no limit; one alone is refused, as in Mesos. */
function rlimitOf({ type, hard, soft }: NonNullable<Info['rlimit_info']>['rlimits'][number]) {
  if ((hard === undefined) !== (soft === undefined))
    throw invalid(`rlimits: ${type}: give both hard and soft, or none`);
  return [type.slice('RLMT_'.length), { soft: soft ?? 'unlimited', hard: hard ?? 'unlimited' }];
}
