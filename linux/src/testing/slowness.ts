/**
 * How much slower this machine is than those for which the limits in tests are: `TEST_SLOWNESS`, 1 by default. An emulated
 * machine sets it (test/vm). Multiply what must end in time; leave alone what a figure of the product must keep.
 */
export const SLOWNESS = Number(process.env.TEST_SLOWNESS ?? 1);
