import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigurationValues, Timeouts } from './values.js';

export const DEFAULT_TIMEOUTS: Timeouts = {
  recover: 60_000,
  prepare: 60_000,
  isolate: 30_000,
  update: 30_000,
  usage: 5_000,
  status: 5_000,
  cleanup: 60_000,
  fork: 30_000,
  release: 30_000,
  destroy: 60_000,
};

export interface HostUser {
  readonly uid: number;
  readonly home: string;
  readonly temporary: string;
}

export const currentUser = (): HostUser => ({
  uid: process.getuid?.() ?? -1,
  home: homedir(),
  temporary: tmpdir(),
});

/** Root's state is the host's; another user's is below what the login session or the temporary directory gives. */
export function defaultValues(
  { uid, home, temporary }: HostUser,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigurationValues {
  const runtime = environment.XDG_RUNTIME_DIR;
  return {
    isolation: [],
    launcher: undefined,
    plugins: [],
    options: {},
    workDir: uid === 0 ? '/var/lib/caisson' : join(home, '.local/share/caisson'),
    runtimeDir:
      uid === 0 ? '/run/caisson' : runtime ? join(runtime, 'caisson') : join(temporary, `caisson-${uid}`),
    timeouts: DEFAULT_TIMEOUTS,
    alternatives: [],
  };
}
