import type { Rlimit, RlimitName } from '@caisson/plugin-sdk';

/** A count, bytes or seconds; `unlimited` is above every number. */
export type LimitValue = Rlimit['soft'];
export type Rlimits = Partial<Record<RlimitName, Rlimit>>;

const height = (value: LimitValue): number => (value === 'unlimited' ? Number.POSITIVE_INFINITY : value);

export const exceeds = (value: LimitValue, most: LimitValue): boolean => height(value) > height(most);

export const softAboveHard = ({ soft, hard }: Rlimit): boolean => exceeds(soft, hard);

export const lower = (a: LimitValue, b: LimitValue): LimitValue => (exceeds(a, b) ? b : a);
