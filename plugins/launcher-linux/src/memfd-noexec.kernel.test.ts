import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { listProcesses } from '@caisson/linux/proc';
import { needs } from '@caisson/linux/testing';
import { expect, test } from '@jest/globals';
import { startAgent } from './testing/agent.js';
import { useLaunchKit } from './testing/launch-kit.js';

const kit = useLaunchKit({ reapOrphans: true });
const KNOB = '/proc/sys/vm/memfd_noexec';
// The kernel keeps it for each pid namespace: nobody else is concerned.
const IN_ONE_THAT_REFUSES = [
  'unshare',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  'sh',
  '-c',
  `echo 2 > ${KNOB} && exec "$@"`,
  'sh',
];
const kernelTest = needs(test, {
  root: true,
  busybox: true,
  programs: ['unshare'],
  kernel: [6, 3],
  host: () => (readFileSync(KNOB, 'utf8').trim() === '2' ? `${KNOB} is 2 for all` : undefined),
});

const descendants = (pid: number): number[] =>
  listProcesses()
    .filter(({ ppid }) => ppid === pid)
    .flatMap((child) => [child.pid, ...descendants(child.pid)]);

kernelTest(
  'where executable memfds are refused (vm.memfd_noexec=2) the image is a file without a name',
  async () => {
    const plan = kit.plan('echo "pid $$"; exec sleep 1000', { stdio: 'inherit' });
    const agent = await startAgent(
      { containers: [kit.container()], plan, until: 'running' },
      IN_ONE_THAT_REFUSES,
    );
    try {
      await agent.output(/^pid 1$/m);
      const executables = descendants(agent.pid).map((pid) => readlinkSync(`/proc/${pid}/exe`));
      expect(executables).toContainEqual(expect.stringMatching(/\/\.image-[^/]* \(deleted\)$/));
      expect(executables.join()).not.toContain('memfd:');
      expect(readdirSync('/tmp').filter((name) => name.startsWith('.image-'))).toEqual([]);
    } finally {
      await agent.kill();
    }
  },
);
