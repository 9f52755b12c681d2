import type { Alternative, Configuration, Selection } from '@caisson/core';

const nameOf = ({ launcher = '?', isolation }: Alternative): string =>
  `launcher ${launcher}, isolation ${isolation.length > 0 ? isolation.join(', ') : 'none'}`;

/** Which isolation a container gets, and why not a better one: a line, since it decides what a command may do. */
export function describeSelection(selection: Selection, { values }: Configuration): string {
  const skipped = selection.skipped.map(({ index, reasons }) => {
    const alternative = values.alternatives[index];
    // The first reason will do: `caisson plugins` has those of each.
    return ` (not ${alternative ? nameOf(alternative) : `alternative ${index}`}: ${reasons[0]})`;
  });
  return `${nameOf(selection)}${skipped.join('')}`;
}
