/**
 * After many requests V8 keeps what they needed, in case that more come: with 1,000 launches some 45 MB. An agent mostly
 * waits. So once it has had nothing to do for a moment, what it does not need is collected and given back.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const LOOK_EVERY_MS = 5_000;
/** Less is not worth the pause. */
const WORTH_BYTES = 8 * 1024 * 1024;
/** Of a processor, since the last look: it is busy. */
const BUSY = 0.05;

/** Returns what ends it. */
export function giveBackMemory(): () => void {
  const collect = collector();
  let used = process.cpuUsage();
  let collected = process.memoryUsage.rss();
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage(used);
    used = process.cpuUsage();
    if ((user + system) / 1000 > BUSY * LOOK_EVERY_MS) return;
    if (process.memoryUsage.rss() - collected < WORTH_BYTES) return;
    collect();
    collected = process.memoryUsage.rss();
  }, LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}

/** V8's own collection, which programs otherwise see with --expose-gc alone. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  return gc;
}
