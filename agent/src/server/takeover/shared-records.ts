/**
 * What a client sends after its first record, for whoever goes on with it: a record that was waited for when another agent
 * took over is not lost with the call that waited.
 */
export class SharedRecords implements AsyncIterator<unknown> {
  #next: Promise<IteratorResult<unknown>> | undefined;
  /** The call gets no more of them. */
  isClaimed = false;

  constructor(private readonly records: AsyncIterator<unknown>) {}

  /** For the call. */
  next(): Promise<IteratorResult<unknown>> {
    if (this.isClaimed) return Promise.resolve({ done: true, value: undefined });
    return this.#take().then((result) => {
      if (this.isClaimed) return { done: true, value: undefined };
      this.#next = undefined;
      return result;
    });
  }

  /** For who has claimed them. */
  async *rest(): AsyncGenerator<unknown> {
    for (;;) {
      const { done, value } = await this.#take();
      if (done) return;
      this.#next = undefined;
      yield value;
    }
  }

  #take(): Promise<IteratorResult<unknown>> {
    this.#next ??= this.records.next();
    return this.#next;
  }
}
