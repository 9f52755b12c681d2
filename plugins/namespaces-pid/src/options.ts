import { z } from '@caisson/plugin-sdk';

export const PidNamespaceOptions = z.strictObject({
  disallowSharingAgentPidNamespace: z
    .boolean()
    .default(false)
    .describe(
      'Refuse containers that would run in the pid namespace of the agent, where they see and may signal the processes of the ' +
        'host: `sharePidNamespace` at the top level, and below a container that shares it. Default false: they may, by asking ' +
        'for it. (Mesos: --disallow_sharing_agent_pid_namespace)',
    )
    .meta({ flag: 'disallow_sharing_agent_pid_namespace' }),
});
export type PidNamespaceOptions = ReturnType<typeof PidNamespaceOptions.parse>;
