import type { Limitation } from '@caisson/plugin-sdk';

/** Isolators are not trusted to report what the type says (K2). */
export function isLimitation(value: unknown): value is Limitation {
  const { reason, message, resources } = (value ?? {}) as Partial<Record<keyof Limitation, unknown>>;
  return (
    typeof reason === 'string' &&
    reason !== '' &&
    typeof message === 'string' &&
    (resources === undefined || (typeof resources === 'object' && resources !== null))
  );
}
