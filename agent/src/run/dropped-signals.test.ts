import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import { isDropped } from './dropped-signals.js';

const SIGHUP = 1;
const SIGTERM = 15;
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A shell that says when it is ready; returns its pid. */
async function shell(script: string, unshare: readonly string[]): Promise<number> {
  const command = ['sh', '-c', `${script}; echo ready; read line`];
  const [file = '', ...args] = [...unshare, ...command];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout!, 'data');
  if (unshare.length === 0) return child.pid!;
  return Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
}

describe('isDropped', () => {
  it('is false for a process that is not the first of a pid namespace, or none', async () => {
    expect(isDropped(await shell('true', []), SIGTERM)).toBe(false);
    expect(isDropped(2 ** 30, SIGTERM)).toBe(false);
  });

  const inNamespace = process.getuid?.() === 0 && process.platform === 'linux' ? it : it.skip;
  inNamespace('of the first process of a pid namespace (needs root): all that it does not take', async () => {
    const unshare = ['unshare', '--pid', '--fork', '--kill-child'];
    const plain = await shell('true', unshare);
    expect([isDropped(plain, SIGHUP), isDropped(plain, SIGTERM)]).toEqual([true, true]);
    const traps = await shell("trap 'exit 3' TERM", unshare);
    expect([isDropped(traps, SIGHUP), isDropped(traps, SIGTERM)]).toEqual([true, false]);
    const ignores = await shell("trap '' TERM", unshare);
    expect([isDropped(ignores, SIGHUP), isDropped(ignores, SIGTERM)]).toEqual([true, false]);
  });
});
