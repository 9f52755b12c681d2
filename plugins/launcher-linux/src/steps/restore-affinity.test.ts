import { LaunchPlan } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { compileTable } from '../compile.js';

test('the first process and its supervisor take the processors of the agent again', () => {
  const { records } = compileTable(new LaunchPlan({ argv: ['/bin/true'] }).data);
  const restored = records.filter(({ call }) => call === 'sched_setaffinity');
  expect(restored.map(({ step }) => step)).toEqual(['restore-affinity', 'supervise']);
  const calls = records.map(({ call }) => call);
  expect(calls.indexOf('sched_setaffinity')).toBeLessThan(calls.indexOf('execve'));
});
