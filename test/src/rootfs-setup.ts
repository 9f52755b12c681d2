import { join } from 'node:path';
import { busyboxRootfs, needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, test } from '@jest/globals';
import { makeOutside } from './hostile-places.js';
import { LaunchKit } from './launch-kit.js';

/** `test` where containers with a root filesystem can be launched, else its `skip`, said aloud. */
export const kernelTest: typeof test = needs(test, { root: true, busybox: true });

export interface RootfsSetup {
  readonly kit: LaunchKit;
  /** Of busybox, with the mount points that a first launch creates. */
  readonly rootfs: string;
  /** A directory of the host that no launch may touch. */
  readonly outside: string;
}

/** For the tests of a file, each of which must leave nothing (census). Call it once, at the top. */
export function useRootfs(ready: (setup: RootfsSetup) => void): void {
  withCensus();
  if (kernelTest !== test) return;
  let kit: LaunchKit;
  beforeAll(async () => {
    kit = await LaunchKit.create();
    const rootfs = busyboxRootfs(join(kit.directory, 'rootfs'));
    // The first launch also opens what the launcher keeps: it would look like a leak.
    const { error } = await kit.shell('true', { rootfs });
    if (error) throw error;
    ready({ kit, rootfs, outside: makeOutside(join(kit.directory, 'outside')) });
  });
  afterAll(() => kit?.close());
}
