/**
 * Waits that end early, all of them, once something has happened. Not `Promise.race` with one long-lived promise, which
 * remembers every wait that it has ever been part of.
 */
export class Interruptible {
  #interrupted = false;
  #wake: () => void = () => {};

  /** Undefined once it was interrupted; what the promise says then is nobody's business. One at a time. */
  settled<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
      if (this.#interrupted) this.#wake();
    });
  }

  interrupt(): void {
    this.#interrupted = true;
    this.#wake();
  }
}
