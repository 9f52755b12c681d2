/** Rows for people: columns set apart by two spaces, the last one wrapped to the width of the terminal. */
import Table from 'cli-table3';

/** Parts of the frame that the library would draw. */
const FRAME =
  'top top-mid top-left top-right bottom bottom-mid bottom-left bottom-right left left-mid mid mid-mid right right-mid middle';
const GAP = 2;
/** Narrower than this, the last column is left to the terminal to wrap. */
const NARROWEST = 24;

/** @param width  of the terminal, in characters; absent: nothing is wrapped, as programs like it */
export function table(head: readonly string[], rows: readonly (readonly string[])[], width?: number): string {
  const widest = (column: number) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)) + GAP;
  const last = head.length - 1;
  const others = head.slice(0, last).reduce((sum, _title, column) => sum + widest(column), 0);
  const lines = new Table({
    head: [...head],
    colWidths: [
      ...Array(last).fill(null),
      Math.min(widest(last), Math.max((width ?? Infinity) - others, NARROWEST)),
    ],
    wordWrap: true,
    chars: Object.fromEntries(FRAME.split(' ').map((part) => [part, ''])),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
  });
  for (const row of rows) lines.push([...row]);
  return lines.toString().replaceAll(/ +$/gm, '');
}
