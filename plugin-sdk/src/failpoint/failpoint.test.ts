import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { clearFailpoints, failpoint, reachedFailpoints, setFailpoint } from './index.js';
import { failpoint as off } from './off.js';

afterEach(clearFailpoints);

const module = JSON.stringify(new URL('./index.js', import.meta.url).href);
/** A program that passes a failpoint, with the variable of the environment set. */
const program = (variable: string) =>
  spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `const { failpoint } = await import(${module}); await failpoint('x'); console.log('passed');`,
    ],
    { env: { CAISSON_FAILPOINTS: variable }, encoding: 'utf8' },
  );

describe('a failpoint', () => {
  test('does nothing unless it is set, and is remembered', () => {
    expect(failpoint('launch.forked')).toBeUndefined();
    expect(reachedFailpoints()).toEqual(['launch.forked']);
  });

  test('throws as often as it is told', () => {
    setFailpoint('x', { action: 'throw', times: 2 });
    expect(() => failpoint('x')).toThrow('failpoint x');
    expect(failpoint('y')).toBeUndefined();
    expect(() => failpoint('x')).toThrow('failpoint x');
    expect(failpoint('x')).toBeUndefined();
  });

  test('throws what is no error', () => {
    setFailpoint('x', { action: 'nonsense' });
    try {
      failpoint('x');
      throw new Error('it did not throw');
    } catch (thrown) {
      expect(thrown).toBe('failpoint x');
    }
  });

  test('hangs', async () => {
    setFailpoint('x', { action: 'hang' });
    const first = await Promise.race([
      failpoint('x'),
      new Promise((resolve) => setImmediate(resolve, 'later')),
    ]);
    expect(first).toBe('later');
  });

  test('kills the process, set by the environment', () => {
    expect(program('a=throw;x=kill').signal).toBe('SIGKILL');
    expect(program('y=kill').stdout).toBe('passed\n');
  });

  test('refuses an action that does not exist', () => {
    expect(program('x=explode').stderr).toContain('x=explode has no action of throw,nonsense,hang,kill');
  });
});

test('what users run has none: not in the published build either', () => {
  expect(off('x')).toBeUndefined();
  const published =
    "import('@caisson/plugin-sdk/failpoint').then((m) => console.log(m.setFailpoint, m.failpoint('x')))";
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const env = { ...process.env, CAISSON_FAILPOINTS: 'x=kill', NODE_OPTIONS: '' };
  expect(execFileSync(process.execPath, ['-e', published], { cwd, env, encoding: 'utf8' })).toBe(
    'undefined undefined\n',
  );
});
