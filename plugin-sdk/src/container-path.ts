import { normalize } from 'node:path';

/** `a`, `./a` and `a/` are one place. */
export const placeOf = (containerPath: string): string => normalize(containerPath).replace(/(.)\/$/, '$1');
