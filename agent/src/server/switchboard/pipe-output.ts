import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';

/**
 * What a container writes to a pipe. A socket of Node's reads ahead from the moment that it is made, whoever wants it or not, and what
 * it has read is lost with the process: here nothing leaves the pipe before somebody reads.
 */
export class PipeOutput extends Readable {
  #socket: Socket | undefined;

  /** @param fd  its own from now on */
  constructor(private readonly fd: number) {
    super();
  }

  override _read(): void {
    if (this.#socket) this.#socket.resume();
    else this.#open();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#socket) this.#socket.destroy();
    else closeSync(this.fd);
    done(error);
  }

  #open(): void {
    const socket = new Socket({ fd: this.fd, readable: true, writable: false });
    this.#socket = socket;
    socket.on('data', (data) => this.push(data) || socket.pause());
    socket.once('end', () => this.push(null));
    socket.once('error', (error) => this.destroy(error));
  }
}
