import { readFileSync } from 'node:fs';
import { CAPABILITIES } from '@caisson/linux/syscalls';

/** What the agent has itself, and so can give: its permitted set. A host may have taken some from root. */
export function agentCapabilities(): ReadonlySet<string> {
  const status = readFileSync('/proc/self/status', 'utf8');
  const permitted = BigInt(`0x${/^CapPrm:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`);
  return new Set(CAPABILITIES.filter((_, number) => ((permitted >> BigInt(number)) & 1n) !== 0n));
}
