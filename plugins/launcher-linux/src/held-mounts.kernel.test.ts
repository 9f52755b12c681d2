import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { exchangeForEver } from '@caisson/linux/testing';
import { expect } from '@jest/globals';
import type { LaunchStep } from './step.js';
import { STEPS } from './steps/index.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';

const kit = useLaunchKit();

/** The guard off: what is mounted is found again by its name. */
const byName = (): readonly LaunchStep[] =>
  STEPS.map((step) => ({
    ...step,
    compile(plan, table) {
      step.compile(plan, table);
      table.held.forget();
    },
  }));

// The name may be the other directory's at any moment: try for a while.
const TRY_TO_WRITE =
  'i=0; while [ $i -lt 300 ]; do { true >> /proc/sys/kernel/core_pattern; } 2>/dev/null && echo writable && exit; ' +
  'i=$((i+1)); done';

/** How many of the launches gave the container a /proc/sys that it can write to. */
async function writable(launches: number, steps?: readonly LaunchStep[]): Promise<number> {
  let count = 0;
  for (let i = 0; i < launches; i++) {
    const edit = { maskedPaths: [] };
    const outcome = await kit.run(TRY_TO_WRITE, edit, steps).catch(() => undefined);
    if (outcome?.stdout === 'writable\n') count += 1;
    await kit.endAll();
  }
  return count;
}

/** What a process of an earlier container, which still runs in this root filesystem, can do at any moment. */
async function withProcExchanged(body: () => Promise<void>): Promise<void> {
  const [proc, other] = [join(kit.rootfs, 'proc'), join(kit.rootfs, 'other')];
  mkdirSync(other);
  const attacker = exchangeForEver(proc, other);
  try {
    await body();
  } finally {
    attacker.stop();
    rmdirSync(other);
  }
}

kernelTest(
  'F1, F5: /proc exchanged after its mount makes nothing writable (class of CVE-2025-31133)',
  async () => {
    await withProcExchanged(async () => {
      expect(await writable(40, byName())).toBeGreaterThan(0);
      expect(await writable(100)).toBe(0);
    });
  },
);
