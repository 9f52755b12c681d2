import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Container } from '../container.js';
import { ContainerConfigSchema } from '../container-config.js';
import { nameOf, parentOf, parseContainerId } from '../container-id.js';
import { LaunchPlan } from '../plan/launch-plan.js';

/** What a fake container shall be, where it matters; `config` adds to a command of `true`. */
export type ContainerOverrides = Partial<Omit<Container, 'config'>> & {
  config?: Partial<Container['config']>;
};

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const each of Object.values(value)) frozen(each);
  return Object.freeze(value);
}

/**
 * A container as an isolator sees it, for unit tests: frozen, since it is read-only. The directories are named, not made;
 * `TemporaryHost` makes some.
 */
export function fakeContainer({ config, ...overrides }: ContainerOverrides = {}): Container {
  const id = parseContainerId(overrides.id ?? 'web');
  const path = id.split('.').join('/containers/');
  return frozen({
    parentId: parentOf(id),
    class: 'DEFAULT',
    resources: {},
    limits: {},
    user: undefined,
    sandbox: `/var/lib/caisson/containers/${path}/sandbox`,
    runtimeDirectory: `/run/caisson/containers/${path}`,
    pid: undefined,
    holdsPid: overrides.pid !== undefined,
    parentPid: undefined,
    ...overrides,
    id,
    config: ContainerConfigSchema.parse({ argv: ['true'], ...config }),
  });
}

/** The plan that `prepare` gets: what the core takes from the container's configuration. */
export function fakePlan({ config }: Pick<Container, 'config'> = fakeContainer()): LaunchPlan {
  return new LaunchPlan({
    argv: [...config.argv],
    environment: { ...config.environment },
    ...(config.executable !== undefined && { executable: config.executable }),
    ...(config.workingDirectory !== undefined && { workingDirectory: config.workingDirectory }),
  });
}

/** A work and a runtime directory that exist, with those of containers; gone with `remove`. */
export class TemporaryHost {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'caisson-host-')));
  readonly workDir = join(this.directory, 'work');
  readonly runtimeDir = join(this.directory, 'run');

  /** A container with a sandbox and a runtime directory of its own, modes as the core makes them. */
  container(overrides: ContainerOverrides = {}): Container {
    const id = overrides.id ?? 'web';
    const parent = parentOf(id);
    const sandbox = parent ? join(this.#sandboxOf(parent), 'containers', nameOf(id)) : this.#sandboxOf(id);
    const runtimeDirectory = join(this.runtimeDir, 'containers', ...id.split('.'));
    mkdirSync(sandbox, { recursive: true, mode: 0o750 });
    mkdirSync(runtimeDirectory, { recursive: true, mode: 0o700 });
    return fakeContainer({ sandbox, runtimeDirectory, ...overrides, id });
  }

  #sandboxOf(id: string): string {
    const [first = '', ...nested] = id.split('.');
    return join(
      this.workDir,
      'containers',
      first,
      'sandbox',
      ...nested.flatMap((name) => ['containers', name]),
    );
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
