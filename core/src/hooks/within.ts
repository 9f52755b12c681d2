/**
 * What the promise gives, or the error that `expired` makes once the time is over. The promise itself goes on then:
 * nothing can stop it, and nobody waits for it; how it ends in the end is handed to `late`.
 */
export function within<T>(
  promise: PromiseLike<T>,
  timeoutMs: number,
  expired: () => Error,
  late?: (error: unknown) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      reject(expired());
    }, timeoutMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        if (over) late?.(error);
        else reject(error);
      },
    );
  });
}
