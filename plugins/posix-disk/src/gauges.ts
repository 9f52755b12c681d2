import { SANDBOX } from './directories.js';
import type { DuMeter } from './du/du-meter.js';
import { mountedBelow } from './mounted-volumes.js';
import type { Account, QuotaMeter } from './quota/meter.js';
import type { Gauge } from './tracked-directory.js';

/** So often is a sandbox walked anew in which volumes came or went meanwhile. */
const MOST_WALKS = 3;

/**
 * Walks. The volumes that are mounted in a sandbox are left out. One that is mounted or unmounted while it is walked may
 * have been counted in part, and somebody would be ended for it: then it is walked once more.
 */
export const duGauge = (
  du: DuMeter,
  settings: { countFiles: boolean; volumePaths: () => readonly string[] },
): Gauge => ({
  name: 'du',
  walks: true,
  kernelRefuses: false,
  async read(directory, signal) {
    const { countFiles, volumePaths } = settings;
    const isSandbox = directory.key === SANDBOX;
    const held = directory.hold();
    const mounted = () => (isSandbox ? mountedBelow(held, volumePaths()) : []);
    try {
      for (let walk = 1; walk <= MOST_WALKS; walk++) {
        const excludes = mounted();
        const found = await du.measure({
          subject: directory,
          directory: held.pathForOthers,
          excludes,
          countFiles: countFiles && isSandbox,
          signal,
        });
        if (mounted().join('\0') === excludes.join('\0')) return found;
      }
    } finally {
      held.close();
    }
    throw new Error('its volumes come and go');
  },
});

/** Asks the filesystem. */
export const quotaGauge = (
  meter: QuotaMeter,
  account: Account,
  settings: { maxAgeMs: number; kernelRefuses: boolean },
): Gauge => ({
  name: meter.kind,
  walks: false,
  kernelRefuses: settings.kernelRefuses,
  read: () => meter.read(account, settings.maxAgeMs),
});
