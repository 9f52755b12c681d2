import type { Command } from 'commander';
import { bashCompletion } from './bash.js';
import { fishCompletion } from './fish.js';
import { shapeOf } from './shape.js';
import { zshCompletion } from './zsh.js';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

export const completionOf = (caisson: Command, shell: keyof typeof SCRIPTS): string =>
  SCRIPTS[shell](shapeOf(caisson));
