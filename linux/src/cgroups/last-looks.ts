import type { Cgroup } from './cgroup.js';

/**
 * What is to be read of a cgroup before it goes. In version 2 isolators share one: whoever of them removes it, the others
 * have seen what the kernel had counted in it.
 */
export class LastLooks {
  readonly #looks = new Map<string, (() => void)[]>();

  before(removed: Cgroup, look: () => void): void {
    const key = String(removed);
    this.#looks.set(key, [...(this.#looks.get(key) ?? []), look]);
  }

  /** Now. Each of them looks once. */
  take(cgroup: Cgroup): void {
    const looks = this.#looks.get(String(cgroup)) ?? [];
    this.#looks.delete(String(cgroup));
    for (const look of looks) look();
  }
}
