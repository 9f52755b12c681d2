import { closeSync, readSync } from 'node:fs';
import type { PipeMoves } from '@caisson/plugin-sdk';
import type { OutputSink, OutputSource } from './output-source.js';

/** What a pipe holds, unless its owner has asked for more. */
const PIECE_BYTES = 64 * 1024;

/**
 * A pipe whose content the kernel moves to its file: whenever the agent is killed, nothing is lost and nothing comes twice. Those who
 * look are shown what is in the file. What the file does not take is read, so that they get that too.
 */
export class MovedSource implements OutputSource {
  #isFlowing = false;
  #isClosed = false;
  #stopWaiting: () => void = () => {};

  /** @param pipe  its own from now on */
  constructor(
    private readonly pipe: number,
    private readonly moves: PipeMoves,
    private readonly sink: OutputSink,
  ) {}

  resume(): void {
    if (this.#isFlowing || this.#isClosed) return;
    this.#isFlowing = true;
    this.#wait();
  }

  pause(): void {
    this.#isFlowing = false;
    this.#stopWaiting();
  }

  /** Nothing ever is. */
  empty(): void {}

  close(): void {
    if (this.#isClosed) return;
    this.pause();
    this.#isClosed = true;
    closeSync(this.pipe);
    this.sink.closed();
  }

  #wait(): void {
    this.#stopWaiting = this.moves.onReady(this.pipe, () => this.#take());
  }

  #take(): void {
    const taken = this.#move() ?? this.#read();
    if (taken === 'end') this.close();
    else if (taken.length > 0) this.sink.show(taken);
    if (this.#isFlowing) this.#wait();
  }

  /** What came, if anybody wants to see it; undefined: the file does not take it. */
  #move(): Buffer | 'end' | undefined {
    const { file } = this.sink;
    const moved = file.extend((fd, size) => ({
      at: size,
      bytes: this.moves.toFile(this.pipe, fd, size, PIECE_BYTES),
    }));
    if (!moved) return undefined;
    if (moved.bytes === 0) return 'end';
    return moved.bytes && this.sink.isWatched() ? file.read(moved.at, moved.bytes) : NOTHING;
  }

  #read(): Buffer | 'end' {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const length = readNow(this.pipe, piece);
    if (length === undefined) return NOTHING;
    if (length === 0) return 'end';
    const data = piece.subarray(0, length);
    this.sink.file.append(data);
    return data;
  }
}

const NOTHING = Buffer.alloc(0);

/** Undefined: the container has taken back what it wrote. */
function readNow(pipe: number, piece: Buffer): number | undefined {
  try {
    return readSync(pipe, piece);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}
