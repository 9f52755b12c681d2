import { readlinkSync } from 'node:fs';
import { isImage } from '@caisson/linux/exec-stage';
import { openByIdentity } from '@caisson/linux/process';
import { close, pidfdSendSignal, pollReadable } from '@caisson/linux/syscalls';
import { describe, expect } from '@jest/globals';
import { startAgent } from './testing/agent.js';
import type { NamedSteps } from './testing/guard-off.js';
import { kernelTest, useLaunchKit } from './testing/launch-kit.js';

// What a killed agent leaves is inherited by this process, the next subreaper.
const kit = useLaunchKit({ reapOrphans: true });
const user = { uid: 1000, gid: 1000, supplementaryGids: [] };

describe('dieWithParent', () => {
  /** What becomes of a container whose agent is killed while its credentials change. */
  async function fate(steps: NamedSteps): Promise<'executed' | 'ended'> {
    const plan = kit.plan('sleep 1000', { dieWithParent: true, user });
    const agent = await startAgent({ containers: [kit.container()], plan, until: 'gate opened', steps });
    const [{ state } = { state: undefined }] = agent.launched;
    const pidfd = openByIdentity(state?.process as never) as number;
    await agent.kill();
    try {
      for (;;) {
        if (pollReadable(pidfd, 20)) return 'ended';
        const executable = readlinkSync(`/proc/${state?.process.pid}/exe`);
        if (!isImage(executable)) return 'executed';
      }
    } finally {
      pidfdSendSignal(pidfd, 9);
      close(pidfd);
    }
  }

  kernelTest(
    'reaches a container that changes its credentials, which clears the parent-death signal',
    async () => {
      expect(await fate('slow credentials, no look at the gate')).toBe('executed');
      expect(await fate('slow credentials')).toBe('ended');
    },
  );
});
