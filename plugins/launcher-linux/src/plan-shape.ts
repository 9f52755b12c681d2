import { isBind, type LaunchPlanData, type Mount } from '@caisson/plugin-sdk';

/** What slots hold: it differs from launch to launch of one program (compile.ts). */
const IN_SLOTS: ReadonlySet<string> = new Set<keyof LaunchPlanData>([
  'argv',
  'environment',
  'executable',
  'workingDirectory',
  'rootfs',
  'mounts',
]);
const SOURCE: ReadonlySet<string> = new Set(['source']);
const NONE: ReadonlySet<string> = new Set();

/** True for two plans that differ in nothing but what the slots hold. */
export const isOfOneShape = (one: LaunchPlanData, other: LaunchPlanData): boolean =>
  (one.rootfs === undefined) === (other.rootfs === undefined) &&
  one.mounts.length === other.mounts.length &&
  one.mounts.every((mount, index) => areAlike(mount, other.mounts[index] as Mount)) &&
  haveSameMembers(one, other, IN_SLOTS);

const areAlike = (one: Mount, other: Mount): boolean =>
  haveSameMembers(one, other, isBind(one) ? SOURCE : NONE);

/** Of plain data. */
function isEqual(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return typeof one === 'object' && typeof other === 'object' && one !== null && other !== null
    ? Array.isArray(one) === Array.isArray(other) && haveSameMembers(one, other, NONE)
    : false;
}

function haveSameMembers(one: object, other: object, except: ReadonlySet<string>): boolean {
  const keys = keysOf(one, except);
  return (
    keysOf(other, except).length === keys.length &&
    keys.every((key) => Object.hasOwn(other, key) && isEqual(one[key as never], other[key as never]))
  );
}

const keysOf = (object: object, except: ReadonlySet<string>): string[] =>
  except.size === 0 ? Object.keys(object) : Object.keys(object).filter((key) => !except.has(key));
