import { readFileSync } from 'node:fs';

let cached: string | undefined;

/** The id of this boot of the host: pids recorded under another one mean nothing. */
export function bootId(): string {
  cached ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return cached;
}
