import { needs, reapOrphansMeanwhile } from '@caisson/linux/testing';
import { afterAll, beforeAll, it } from '@jest/globals';
import { Folder } from '../caisson.js';
import { RealAgent } from './real-agent.js';

export const CONFIGURATION = { launcher: 'linux', isolation: ['filesystem/linux', 'namespaces/pid'] };

interface Used {
  readonly test: typeof it;
  readonly folder: Folder;
  readonly agent: RealAgent;
  readonly api: RealAgent['api'];
}

/** A folder and an agent for all tests of a file, and the `test` of those that need root. */
export function useAgent(): Used {
  const test = needs(it, { root: true });
  const folder = new Folder(CONFIGURATION);
  const agent = new RealAgent(folder);
  let stopReaping: () => void;
  // The first start makes the directories that all containers share.
  beforeAll(async () => {
    if (test === it) await agent.start().then(() => agent.stop());
    stopReaping = reapOrphansMeanwhile();
  });
  afterAll(() => {
    stopReaping();
    agent.api.close();
    folder.remove();
  });
  return { test, folder, agent, api: agent.api };
}
