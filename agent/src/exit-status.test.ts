import { CaissonError } from '@caisson/plugin-sdk';
import { describe, expect, it } from '@jest/globals';
import { errors } from './errors.js';
import { statusOfError, statusOfTermination } from './exit-status.js';

const failed = (code: string) => new CaissonError({ code, kind: 'failed', message: code });

describe('exit statuses', () => {
  it.each([
    [0, 0],
    [3 << 8, 3],
    [9, 137],
    [15, 143],
    [0x80 | 11, 139], // with a core dump
    [40, 168], // a real-time signal, which has no name
    [undefined, 125],
  ])('of a wait status %s is %i', (status, expected) => {
    expect(statusOfTermination({ status, reason: 'EXITED' })).toBe(expected);
  });

  it.each([
    [failed('COMMAND_NOT_FOUND'), 127],
    [failed('COMMAND_NOT_EXECUTABLE'), 126],
    [failed('ROOTFS_INVALID'), 125],
    [errors.INTERRUPTED('SIGINT'), 130],
    [new Error('no code'), 125],
    ['thrown text', 125],
  ])('of %s is %i', (error, expected) => expect(statusOfError(error)).toBe(expected));
});
