/**
 * The whole program is killed at each step of a launch: nothing of it lives on, and the next start collects the rest.
 * Threat model, section 3: "agent SIGKILLed at a random instant".
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { needs, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Folder, repository } from './caisson.js';
import { Running } from './running.js';

const kernelTest = needs(test, { root: true });
const folder = new Folder({ launcher: 'linux', isolation: ['filesystem/linux', 'namespaces/pid'] });
// The first start makes the directories that all containers share.
beforeAll(async () => {
  await folder.caisson(['run', '--quiet', '--', 'true']);
});
afterAll(() => folder.remove());

/** In the order in which a launch passes them; the last ones while it ends. */
const STEPS = [
  'launch.validated',
  'launch.recorded',
  'launch.sandbox',
  'checkpoint.written',
  'launch.prepared',
  'launcher.spawned',
  'launch.forked',
  'launch.checkpointed',
  'launch.isolated',
  'launch.watched',
  'launch.released',
  'launch.marked',
  'destroy.began',
  'destroy.killed',
  'destroy.cleaned',
  'remove.sandbox',
];

/** The build with failpoints, which users don't have. */
function killedAt(step: string): Promise<{ signal: NodeJS.Signals | null; stderr: string }> {
  const cli = join(repository, 'agent/dist/cli.js');
  const ends = step.startsWith('destroy') || step.startsWith('remove');
  const command = ends ? ['true'] : ['sleep', '1000'];
  const argv = ['--conditions=failpoints', cli, 'run', '--quiet', '--', ...command];
  const env = { ...folder.environment, CAISSON_FAILPOINTS: `${step}=kill` };
  return new Running(
    spawn(process.execPath, argv, { cwd: folder.path, env, stdio: ['ignore', 'pipe', 'pipe'] }),
  ).ended;
}

describe('caisson run, killed by SIGKILL', () => {
  withCensus({ directories: folder.directories, reapOrphans: true });

  for (const step of STEPS)
    kernelTest(`at ${step}: nothing is left after the next start`, async () => {
      expect(await killedAt(step)).toMatchObject({ signal: 'SIGKILL', stderr: '' });
      const next = await folder.caisson(['run', '--quiet', '--', 'echo', 'next']);
      expect(next).toMatchObject({ status: 0, stdout: 'next\n' });
    });
});
