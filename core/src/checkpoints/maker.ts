/**
 * What bears its maker in its name can be told from what nobody will finish any more, though nothing in it says so yet: the
 * maker may be killed at any step.
 */
import { statSync } from 'node:fs';
import { markOf, ownMark, type ProcessMark } from './process-start.js';

const RECENT_MS = 60_000;

/** `<pid namespace>-<pid>-<start>`, in digits. */
export const makerOf = ({ pidNamespace, pid, start }: ProcessMark): string =>
  [pidNamespace, pid, start].map((part) => String(part).replace(/\D/g, '')).join('-');

/** Whether the maker is gone. In another pid namespace he cannot be seen: then, whether it was left alone for a minute. */
export function isForsaken(path: string, maker = ''): boolean {
  const [namespace, pid] = maker.split('-');
  if (namespace !== makerOf(ownMark()).split('-')[0]) return !isRecent(path);
  const mark = markOf(Number(pid));
  return mark === undefined || makerOf(mark) !== maker;
}

/** Changed within the last minute, or gone by now. */
export function isRecent(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined || Date.now() - stat.mtimeMs < RECENT_MS;
}
