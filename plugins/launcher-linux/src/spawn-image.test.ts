import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { actions, type Placement } from './spawn-image.js';

/** The descriptors of a child after the actions: by number, which of the agent's it is. */
function outcome(placement: Placement): Map<number, number> {
  const open = new Map(placement.map(({ from }) => [from, from]));
  for (const action of actions(placement)) {
    if ('dup2' in action) open.set(action.dup2[1], open.get(action.dup2[0]) ?? Number.NaN);
    else if ('closeFrom' in action) for (const fd of open.keys()) if (fd >= action.closeFrom) open.delete(fd);
  }
  return open;
}

const sources = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 10 });

test.each([12, 110, 5000])(
  'each descriptor ends where it shall, wherever the agent had it (up to %i)',
  (max) => {
    fc.assert(
      fc.property(sources(max), (from) => {
        const placement = from.map((fd, to) => ({ from: fd, to }));
        const open = outcome(placement);
        for (const { from: source, to } of placement) expect(open.get(to)).toBe(source);
      }),
    );
  },
);

test('nothing above the highest number stays open (N3)', () => {
  fc.assert(
    fc.property(sources(200), (from) => {
      const open = outcome(from.map((fd, to) => ({ from: fd, to })));
      expect(Math.max(...open.keys())).toBeLessThanOrEqual(Math.max(6, from.length - 1));
    }),
  );
});
