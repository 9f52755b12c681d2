/**
 * linux/nnp: every container, nested and DEBUG ones too, is started with the flag "no new privileges": set-user-ID bits
 * and file capabilities of what it executes do nothing, and neither it nor a descendant can clear the flag. Containers
 * have it without this isolator too, unless they ask not to; here none may.
 *
 * Throws  NEW_PRIVILEGES_DISALLOWED (errors.ts)
 * Source  PR_SET_NO_NEW_PRIVS(2const), since Linux 3.5
 */
import {
  type Container,
  type ContainerizerHooks,
  type Isolator,
  injectable,
  type LaunchPlan,
} from '@caisson/plugin-sdk';
import { errors } from './errors.js';

@injectable()
export class NoNewPrivilegesIsolator implements Isolator {
  apply(hooks: ContainerizerHooks): void {
    hooks.prepare.tapPromise('linux/nnp', async (container, plan) => this.#prepare(container, plan));
  }

  #prepare({ id, config }: Container, plan: LaunchPlan): void {
    if (config.noNewPrivileges === false) throw errors.NEW_PRIVILEGES_DISALLOWED(id);
    // Said in the plan, so that an isolator that wants the contrary is refused by name.
    plan.setNoNewPrivileges(true);
  }
}
