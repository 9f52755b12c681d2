import type { ClientRequest } from 'node:http';

/** What is being sent to a call whose input is a stream. */
export class Upload {
  constructor(
    private readonly request: ClientRequest,
    private readonly write: (input: object) => boolean,
    /** The answer, which may come before the end: nothing is sent any more then. @throws what the agent says */
    readonly answered: Promise<void>,
  ) {
    answered.then(
      () => request.destroy(),
      () => request.destroy(),
    );
  }

  /** Resolves once there is room for more, or no use in it. */
  async send(input: object): Promise<void> {
    const { destroyed, writableEnded } = this.request;
    if (destroyed || writableEnded || this.write(input)) return;
    await new Promise<void>((resolve) => {
      const settle = () => {
        this.request.off('drain', settle).off('close', settle);
        resolve();
      };
      this.request.on('drain', settle).on('close', settle);
    });
  }

  end(): void {
    this.request.end();
  }

  /** Leaves, whatever is still to be sent. */
  abort(): void {
    this.request.destroy();
  }
}
