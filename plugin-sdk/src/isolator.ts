import type { ContainerizerHooks } from './hooks/index.js';

/** An isolator taps the hooks it needs, under its own name, and nothing else. */
export interface Isolator {
  apply(hooks: ContainerizerHooks): void;
}
