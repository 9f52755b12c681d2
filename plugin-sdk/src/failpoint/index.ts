/**
 * Failpoints: places where a test makes a launch fail, hang or die. This file is what the condition `failpoints`
 * resolves to (tests, run on dist/); a published package has off.ts in its place, which does nothing.
 *
 *     await failpoint('launch.forked');
 *     setFailpoint('launch.forked', { action: 'throw', times: 1 });
 *     CAISSON_FAILPOINTS='launch.forked=kill;prepare=hang' node --conditions=failpoints agent/bin/caisson.js run ...
 */
export interface FailpointRule {
  /** throw an error; throw something that is no error; never go on; kill this process with SIGKILL. */
  readonly action: 'throw' | 'nonsense' | 'hang' | 'kill';
  /** How often, before the failpoint is off again. Default: always. */
  readonly times?: number | undefined;
}

const ACTIONS: readonly string[] = ['throw', 'nonsense', 'hang', 'kill'];
const rules = new Map<string, { action: FailpointRule['action']; left: number }>();
const reached = new Set<string>();

for (const entry of (process.env.CAISSON_FAILPOINTS ?? '').split(';').filter(Boolean)) {
  const [name = '', action = ''] = entry.split('=');
  if (!ACTIONS.includes(action)) throw new Error(`CAISSON_FAILPOINTS: ${entry} has no action of ${ACTIONS}`);
  setFailpoint(name, { action: action as FailpointRule['action'] });
}

export function setFailpoint(
  name: string,
  { action, times = Number.POSITIVE_INFINITY }: FailpointRule,
): void {
  rules.set(name, { action, left: times });
}

export function clearFailpoints(): void {
  rules.clear();
  reached.clear();
}

/** The failpoints passed since the last clear: a test can tell that its name is a real one. */
export const reachedFailpoints = (): readonly string[] => [...reached];

/** A place that may fail. Undefined where nothing was set: `await` costs nothing then if it is guarded. */
export function failpoint(name: string): Promise<never> | undefined {
  reached.add(name);
  const rule = rules.get(name);
  if (!rule || rule.left <= 0) return undefined;
  rule.left -= 1;
  switch (rule.action) {
    case 'throw':
      throw new Error(`failpoint ${name}`);
    case 'nonsense':
      throw `failpoint ${name}`;
    case 'hang':
      return new Promise<never>(() => {});
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return new Promise<never>(() => {});
  }
}
