import type { LaunchPlanData } from '@caisson/plugin-sdk';

const isString = (value: unknown): boolean => typeof value === 'string' && !value.includes('\0');
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isEntered = (value: unknown): boolean => {
  const { kind, pid } = (value ?? {}) as Record<string, unknown>;
  return isString(kind) && Number.isInteger(pid) && (pid as number) > 0;
};
const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isList = (each: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(each);
const maybe = (check: (value: unknown) => boolean) => (value: unknown) => value === undefined || check(value);

const CHECKS: Readonly<Record<keyof LaunchPlanData, (value: unknown) => boolean>> = {
  executable: maybe(isString),
  argv: (value) => isList(isString)(value) && (value as unknown[]).length > 0,
  environment: (value) => isObject(value) && Object.values(value as object).every(isString),
  workingDirectory: maybe(isString),
  user: maybe(isObject),
  supplementaryGids: isList(Number.isInteger),
  namespaces: (value) => {
    const { create, enter } = (value ?? {}) as Record<string, unknown>;
    return isList(isString)(create) && isList(isEntered)(enter);
  },
  rootfs: maybe(isString),
  mounts: isList(isObject),
  fileOperations: isList(isObject),
  maskedPaths: isList(isString),
  readOnlyPaths: isList(isString),
  rlimits: isObject,
  capabilities: maybe(isObject),
  noNewPrivileges: isBoolean,
  privileged: isBoolean,
  oomScoreAdj: Number.isInteger,
  init: isBoolean,
  dieWithParent: isBoolean,
  stdio: (value) => ['files', 'inherit', 'terminal', 'pipes'].includes(value as string),
  windowSize: maybe(isObject),
};

const KEYS = Object.keys(CHECKS) as (keyof LaunchPlanData)[];

/**
 * The methods of a LaunchPlan refuse nonsense; its `data` can be written all the same. What is wrong with it, so that
 * the isolator that did it is named, and not the launcher that stumbles over it.
 */
export function problemOfPlan(data: LaunchPlanData): string | undefined {
  const wrong = KEYS.find((key) => !CHECKS[key](data[key]));
  return wrong && `${wrong} is nonsense`;
}
