/** An agent that let its containers go, and whose successor is gone before it served. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isCaissonError, type Logger, messageOf } from '@caisson/plugin-sdk';

const LOOK_EVERY_MS = 50;
/** How long an agent that gave up taking over may need to end. */
const GONE_WITHIN_MS = 30_000;

/**
 * Claims the containers again. Whoever listens no longer may still be about to end: its sockets are closed before it lets go of them.
 *
 * @param claim  may be called again after it threw
 * @throws what `claim` does
 */
export async function takeBack(claim: () => Promise<void>, log: Logger): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await claim();
    } catch (error) {
      const isHeld = isCaissonError(error) && error.code === 'DIRECTORY_IN_USE';
      if (!isHeld || performance.now() > deadline) throw error;
      if (isFirst) log.info({ because: messageOf(error) }, 'waiting for the containers');
      await sleep(LOOK_EVERY_MS);
    }
  }
}
