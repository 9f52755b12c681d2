import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  NEW_PRIVILEGES_DISALLOWED: {
    kind: 'denied',
    message: (id: string) =>
      `container ${id} asks for noNewPrivileges: false, and linux/nnp lets no container gain privileges`,
    hint: () =>
      'leave noNewPrivileges out; a container that needs set-user-ID programs needs a configuration without linux/nnp',
  },
});
