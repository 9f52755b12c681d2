import {
  type ContainerizerHooks,
  createHooks,
  type Isolator,
  messageOf,
  PHASES,
  type Phase,
} from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import type { Tap, TapFunction, TapKind } from './tap.js';

export type TapsByPhase = Readonly<Record<Phase, readonly Tap[]>>;

export interface NamedIsolator {
  readonly name: string;
  readonly supportsNesting: boolean;
  readonly instance: Isolator;
}

/** The part of tapable's tap that counts here. */
interface TapInfo {
  readonly type: TapKind;
  readonly name: string;
  readonly fn: TapFunction;
  readonly stage?: unknown;
  readonly before?: unknown;
}

/**
 * Lets each isolator tap the hooks, in order, and returns the taps. The isolators see ordinary tapable hooks; the core
 * calls the taps itself (phases.ts), for tapable ends a series at the first failure and a parallel call before its end.
 *
 * @throws TAP_REFUSED, PLUGIN_START_FAILED
 */
export function collectTaps(isolators: readonly NamedIsolator[]): TapsByPhase {
  const hooks = createHooks();
  const taps: Record<Phase, Tap[]> = Object.fromEntries(PHASES.map((phase) => [phase, []])) as never;
  let tapping: NamedIsolator | undefined;
  for (const phase of PHASES)
    intercept(hooks[phase], (info) => {
      const problem = problemOf(info, tapping, taps[phase]);
      if (problem) throw coreErrors.TAP_REFUSED(tapping?.name ?? String(info.name), phase, problem);
      const { name: isolator, supportsNesting } = tapping!;
      taps[phase].push({ isolator, phase, supportsNesting, kind: info.type, call: info.fn });
    });
  for (const isolator of isolators) {
    tapping = isolator;
    apply(isolator, hooks);
  }
  tapping = undefined;
  return taps;
}

/** `intercept` has a signature of its own for each hook; what is needed of it they share. */
function intercept(hook: ContainerizerHooks[Phase], onTap: (info: TapInfo) => void): void {
  const interceptable = hook as unknown as {
    intercept(interceptor: { register(info: TapInfo): TapInfo }): void;
  };
  interceptable.intercept({
    register(info) {
      onTap(info);
      return info;
    },
  });
}

function problemOf(
  { name, stage, before }: TapInfo,
  tapping: NamedIsolator | undefined,
  sofar: readonly Tap[],
): string | undefined {
  if (!tapping) return 'it comes too late: taps are made while `apply` runs';
  if (name !== tapping.name) return `it bears the name ${JSON.stringify(name)}`;
  if (stage !== undefined) return '`stage` is not possible';
  if (before !== undefined) return '`before` is not possible';
  if (sofar.some(({ isolator }) => isolator === name)) return 'it is the second one';
  return undefined;
}

function apply({ name, instance }: NamedIsolator, hooks: ContainerizerHooks): void {
  if (typeof instance?.apply !== 'function')
    throw coreErrors.PLUGIN_START_FAILED('isolator', name, 'it has no method `apply`');
  try {
    instance.apply(hooks);
  } catch (error) {
    if ((error as { code?: unknown } | undefined)?.code === 'TAP_REFUSED') throw error;
    throw coreErrors.PLUGIN_START_FAILED('isolator', name, `apply: ${messageOf(error)}`);
  }
}
