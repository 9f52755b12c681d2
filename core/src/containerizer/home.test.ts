import { mkdirSync, readdirSync, utimesSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { makerOf } from '../checkpoints/maker.js';
import { ownMark } from '../checkpoints/process-start.js';
import { TemporaryDirectory } from '../testing/fakes.js';
import { claimAbandonedRuns } from './home.js';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = new TemporaryDirectory();
});
afterEach(() => directory.remove());

test('a run that is being made is collected once its maker is gone; who cannot be seen has a minute', () => {
  const own = ownMark();
  const nameOf = (mark: object) => `new.${makerOf({ ...own, ...mark })}.aa`;
  const [alive, dead] = [nameOf({}), nameOf({ pid: 2 ** 22 + 1 })];
  const elsewhere = nameOf({ pidNamespace: 'pid:[1]', pid: 2 ** 22 + 1 });
  for (const name of [alive, dead, elsewhere])
    mkdirSync(directory.join(`runs/${name}/containers`), { recursive: true });
  const left = () => {
    expect(claimAbandonedRuns(directory.path)).toEqual([]);
    return readdirSync(directory.join('runs')).sort();
  };
  expect(left()).toEqual([alive, elsewhere].sort());
  const hourAgo = Date.now() / 1000 - 3600;
  for (const name of [alive, elsewhere]) utimesSync(directory.join(`runs/${name}`), hourAgo, hourAgo);
  expect(left()).toEqual([alive]);
});
