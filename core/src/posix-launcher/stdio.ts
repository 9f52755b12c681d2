import { relative } from 'node:path';
import type { Container } from '@caisson/plugin-sdk';
import { type HeldDirectory, holdBeneath } from '../containerizer/beneath.js';

/** The sandbox, by descriptor: a nested one lies in a tree that its parent writes (threat model F8). */
export const holdSandbox = (workDir: string, { sandbox }: Container): HeldDirectory =>
  holdBeneath(workDir, relative(workDir, sandbox).split('/'));
