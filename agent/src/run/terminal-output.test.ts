import { constants, fstatSync, openSync } from 'node:fs';
import type { ContainerTerminal } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import { TerminalOutput } from './terminal-output.js';

const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;

test('a container may have ended, and its terminal be given back, before somebody reads', async () => {
  let isGivenBack = false;
  const take = () => {
    if (isGivenBack) throw new Error('EBADF');
    return openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK);
  };
  const output = new TerminalOutput({ take } as ContainerTerminal);
  isGivenBack = true;
  const errors: Error[] = [];
  output.on('error', (error) => errors.push(error)).resume();
  await new Promise(setImmediate);
  expect(output.readableFlowing).toBe(true);
  const closed = new Promise((resolve) => output.once('close', resolve));
  output.destroy();
  await closed;
  expect(errors).toEqual([]);
});

test('what is taken when there is no second one to take is given back', () => {
  const taken: number[] = [];
  const take = () => {
    if (taken.length === 1) throw new Error('EMFILE');
    taken.push(openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK));
    return taken[0] as number;
  };
  expect(() => new TerminalOutput({ take } as ContainerTerminal)).toThrow('EMFILE');
  expect(() => fstatSync(taken[0] as number)).toThrow('EBADF');
});
