/**
 * A network class: 32 bits, `major:minor` in tc(8). Its upper half is the primary handle, which stands for the agent, its
 * lower half the secondary one, which stands for the container.
 */
const HALF = 0x10000;
export const HIGHEST_HALF = HALF - 1;

export const classidOf = (primary: number, secondary: number): number => primary * HALF + secondary;
export const primaryOf = (classid: number): number => Math.floor(classid / HALF);
export const secondaryOf = (classid: number): number => classid % HALF;

const hexadecimal = (value: number, digits: number): string =>
  `0x${value.toString(16).padStart(digits, '0')}`;
/** `0x00100001`, as iptables takes it. */
export const formatClassid = (classid: number): string => hexadecimal(classid, 8);
export const formatHalf = (half: number): string => hexadecimal(half, 4);

/** A primary or secondary handle, hexadecimal with 0x or decimal. Undefined unless it is 1 to 0xffff: 0 is no handle. */
export function parseHalf(value: string | number): number | undefined {
  const number = typeof value === 'number' || /^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(value) ? Number(value) : 0;
  return Number.isInteger(number) && number >= 1 && number <= HIGHEST_HALF ? number : undefined;
}
