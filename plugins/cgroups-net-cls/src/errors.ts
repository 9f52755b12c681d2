import { defineErrors } from '@caisson/plugin-sdk';
import { formatClassid, formatHalf } from './handle.js';

export const errors = defineErrors({
  NO_FREE_HANDLES: {
    kind: 'exhausted',
    message: (id: string, primaries: readonly number[], total: number) =>
      `container ${id} gets no network class: no free handles, all ${total} of primary ${primaries
        .map(formatHalf)
        .join(', ')} are in use`,
    hint: () =>
      'end containers, widen secondaryHandles of cgroups/net_cls, or give it a further primaryHandle',
    details: (_id: string, primaries: readonly number[], total: number) => ({ primaries, total }),
  },
  HANDLE_IN_USE: {
    kind: 'conflict',
    message: (id: string, classid: number, holder: string) =>
      `container ${id} cannot have the network class ${formatClassid(classid)}: ${holder} has it`,
    hint: () => 'ask for another one, or leave netClsClassid out',
    details: (_id: string, classid: number, holder: string) => ({ classid, holder }),
  },
  HANDLE_NOT_IN_POOL: {
    kind: 'denied',
    message: (id: string, classid: number) =>
      `container ${id} cannot have the network class ${formatClassid(classid)}: it is none of those that the operator gives to containers`,
    hint: () =>
      'ask for one within primaryHandle and secondaryHandles of cgroups/net_cls, or leave netClsClassid out',
    details: (_id: string, classid: number) => ({ classid }),
  },
  HANDLES_NOT_MANAGED: {
    kind: 'denied',
    message: (id: string) => `container ${id} asks for a network class, and the operator has none to give`,
    hint: () => 'set primaryHandle of cgroups/net_cls, or leave netClsClassid out',
  },
  SHARES_PARENTS_HANDLE: {
    kind: 'invalid',
    message: (id: string) => `container ${id} asks for a network class, and shares that of its parent`,
    hint: () => 'launch it with shareCgroups: false, or leave netClsClassid out',
  },
  CLASSID_NOT_KEPT: {
    kind: 'failed',
    message: (id: string, classid: number, found: number) =>
      `container ${id} was given the network class ${formatClassid(classid)} and has ${formatClassid(found)}`,
    hint: () => 'something else on this host writes net_cls.classid',
    details: (_id: string, classid: number, found: number) => ({ classid, found }),
  },
});
