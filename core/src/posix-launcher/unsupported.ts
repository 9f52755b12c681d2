import type { ContainerConfig, LaunchPlan, LaunchPlanData } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';

type Wish = readonly [what: string, isAsked: (config: Readonly<ContainerConfig>) => boolean];

/** What a configuration may ask for that needs the kernel's help. Refused rather than left out in silence. */
const CONFIG_WISHES: readonly Wish[] = [
  ['root filesystem of its own (rootfs)', ({ rootfs }) => rootfs !== undefined],
  ['terminal (stdio: terminal)', ({ stdio }) => stdio === 'terminal'],
  // Nobody would hold the pipes when the agent ends: the container would die of a SIGPIPE.
  ['pipes that outlive the agent (stdio: pipes)', ({ stdio }) => stdio === 'pipes'],
  ['capabilities', ({ capabilities }) => capabilities !== undefined],
  ['privileged containers: it takes nothing away', ({ privileged }) => privileged === true],
  ['rlimits', ({ rlimits }) => Object.keys(rlimits ?? {}).length > 0],
  ['no-new-privileges', ({ noNewPrivileges }) => noNewPrivileges === true],
  ['init', ({ init }) => init === true],
  ['containers of class DEBUG: there are no namespaces to join', (config) => config.class === 'DEBUG'],
];

const PLAN_WISHES: Readonly<Partial<Record<keyof LaunchPlanData, string>>> = {
  namespaces: 'namespaces',
  rootfs: 'root filesystem of its own',
  mounts: 'mounts',
  fileOperations: 'file operations in a root filesystem',
  maskedPaths: 'masked paths',
  readOnlyPaths: 'read-only paths',
  capabilities: 'capabilities',
  rlimits: 'rlimits',
  supplementaryGids: 'supplementary groups',
};

/** @throws POSIX_UNSUPPORTED */
export function requireSupportedConfig(config: Readonly<ContainerConfig>): void {
  const wish = CONFIG_WISHES.find(([, isAsked]) => isAsked(config));
  if (wish) throw coreErrors.POSIX_UNSUPPORTED(wish[0], 'the configuration of the container');
  if ((config.executable ?? config.argv[0])?.startsWith('-'))
    throw coreErrors.POSIX_UNSUPPORTED(
      'commands that begin with "-": the shell takes them for options',
      'argv',
    );
  requireShellNames(config.environment ?? {}, 'the configuration of the container');
}

/** dash drops other variables without a word, and bash takes some of them for functions. */
function requireShellNames(environment: Readonly<Record<string, string>>, who: string): void {
  const other = Object.keys(environment).find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (other === undefined) return;
  const what = `variables such as ${JSON.stringify(other)}: a shell hands on only names like A_1`;
  throw coreErrors.POSIX_UNSUPPORTED(what, who);
}

/** @throws POSIX_UNSUPPORTED with the isolators that asked */
export function requireSupportedPlan(plan: LaunchPlan): void {
  requireShellNames(plan.data.environment, 'an isolator');
  for (const [part, what] of Object.entries(PLAN_WISHES)) {
    const who = plan.askedBy(part as keyof LaunchPlanData);
    if (who.length > 0) throw coreErrors.POSIX_UNSUPPORTED(what, who.join(' and '));
  }
}
