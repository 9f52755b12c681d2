import { describe, expect, it } from '@jest/globals';
import { table } from './table.js';

const rows = [
  ['a/b', 'what it says is long, so long that it is wrapped'],
  ['longer/name', '日本'],
];

describe('table', () => {
  it('gives each column the room it needs', () => {
    expect(table(['NAME', 'NOTE'], rows)).toBe(
      'NAME         NOTE\na/b          what it says is long, so long that it is wrapped\nlonger/name  日本',
    );
  });

  it('wraps the last column to the width of the terminal, between words', () => {
    const lines = table(['NAME', 'NOTE'], rows, 42).split('\n');
    expect(lines[1]).toBe('a/b          what it says is long, so');
    expect(lines[2]).toBe('             long that it is wrapped');
  });
});
