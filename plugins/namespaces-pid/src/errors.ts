import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  PID_SHARING_DISALLOWED: {
    kind: 'denied',
    message: (id: string) =>
      `container ${id} would share the pid namespace of the agent, which the operator has disallowed`,
    hint: () =>
      'launch it without sharePidNamespace, or set disallowSharingAgentPidNamespace of namespaces/pid to false',
  },
  PARENT_NOT_RUNNING: {
    kind: 'conflict',
    message: (id: string, parentId: string) =>
      `container ${id} cannot enter the pid namespace of its parent ${parentId}: no process of it is running`,
    hint: () => 'launch the parent again',
  },
});
