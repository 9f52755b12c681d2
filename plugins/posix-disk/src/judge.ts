import { formatBytes } from '@caisson/plugin-sdk';
import type { Found } from './measurement.js';

export interface Allowance {
  readonly bytes: number;
  /** 0: as many as it likes. */
  readonly files: number;
}

/** In words, how the quota is exceeded; undefined if it isn't: having all of it is fine. */
export function excessOf({ usedBytes, files }: Found, allowed: Allowance): string | undefined {
  if (usedBytes > allowed.bytes)
    return `Disk usage (${formatBytes(usedBytes)}) exceeds quota (${formatBytes(allowed.bytes)})`;
  if (allowed.files > 0 && files !== undefined && files > allowed.files)
    return `Disk usage (${files} files) exceeds quota (${allowed.files} files)`;
  return undefined;
}

/** True above a part of the quota. */
export const isNear = ({ usedBytes, files = 0 }: Found, allowed: Allowance, part: number): boolean =>
  part > 0 && (usedBytes > allowed.bytes * part || (allowed.files > 0 && files > allowed.files * part));
