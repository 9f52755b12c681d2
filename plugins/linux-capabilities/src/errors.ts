import { defineErrors } from '@caisson/plugin-sdk';

/** `all`, or names; an empty list is said as such. */
const listed = (names: readonly string[] | 'all'): string =>
  names === 'all' ? 'all' : names.join(', ') || 'none';

export const errors = defineErrors({
  CAPABILITIES_NOT_ALLOWED: {
    kind: 'denied',
    message: (id: string, requested: readonly string[] | 'all', allowed: readonly string[]) =>
      `container ${id} asks for the capabilities ${listed(requested)}; the operator allows ${listed(allowed)}`,
    hint: (_id: string, requested: readonly string[] | 'all') =>
      requested === 'all'
        ? 'leave `privileged` out, or take `bounding` out of the options of linux/capabilities'
        : 'ask for less, or add what is missing to `bounding` of linux/capabilities',
    details: (_id: string, requested: readonly string[] | 'all', allowed: readonly string[]) => ({
      requested,
      allowed,
    }),
  },
  EFFECTIVE_NOT_BOUNDED: {
    kind: 'invalid',
    message: (id: string, beyond: readonly string[], bounding: readonly string[], whose: string) =>
      `container ${id}: ${listed(beyond)} would be effective and not in the bounding set ${whose}: ${listed(bounding)}`,
    hint: () => 'add it to the bounding set, or ask for a set of effective capabilities without it',
    details: (_id: string, beyond: readonly string[], bounding: readonly string[]) => ({ beyond, bounding }),
  },
  CAPABILITIES_UNAVAILABLE: {
    kind: 'unsupported',
    message: (whose: string, missing: readonly string[]) =>
      `${whose}: this host cannot give ${listed(missing)}: the agent does not have it itself, or the kernel doesn't know it`,
    hint: () =>
      'ask for less, or start the agent with it (CapabilityBoundingSet= of its service; docker run --cap-add)',
    details: (_whose: string, missing: readonly string[]) => ({ missing }),
  },
});
