import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

let cached: string | undefined;

/** Names this boot of the host: a pid written down under another one means nothing (threat model K5). */
export function bootId(): string {
  cached ??= read();
  return cached;
}

function read(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  // macOS: kern.bootsessionuuid, as stable as Linux' boot_id (kern.boottime moves with the clock).
  return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim();
}
