/** A container's pipes, made of FIFOs: the kernel's own, without a launcher. Linux and macOS have mkfifo(1). */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerPipes } from '@caisson/plugin-sdk';

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

export class FakePipes implements ContainerPipes {
  readonly #directory = mkdtempSync(join(tmpdir(), 'caisson-pipes-'));
  /** The container's side. */
  readonly #stdin: number;
  readonly #outputs: Record<'stdout' | 'stderr', number>;
  #keeper: number | undefined;
  #isOpen = true;

  constructor() {
    const paths = ['stdin', 'stdout', 'stderr'].map((name) => join(this.#directory, name));
    execFileSync('mkfifo', paths);
    this.#stdin = this.#open('stdin', O_RDONLY | O_NONBLOCK);
    this.#keeper = this.#open('stdin', O_WRONLY | O_NONBLOCK);
    this.#outputs = { stdout: this.#open('stdout', O_RDWR), stderr: this.#open('stderr', O_RDWR) };
  }

  take() {
    return {
      stdin: this.#keeper === undefined ? undefined : this.#open('stdin', O_WRONLY | O_NONBLOCK),
      stdout: this.#open('stdout', O_RDONLY | O_NONBLOCK),
      stderr: this.#open('stderr', O_RDONLY | O_NONBLOCK),
    };
  }

  endInput(): void {
    if (this.#keeper !== undefined) closeSync(this.#keeper);
    this.#keeper = undefined;
  }

  /** The container writes; returns how much went in. */
  write(name: 'stdout' | 'stderr', text: string): number {
    return writeSync(this.#outputs[name], text);
  }

  /** What it reads now; undefined at the end of its stdin. */
  read(): string | undefined {
    const buffer = Buffer.alloc(65536);
    try {
      const length = readSync(this.#stdin, buffer);
      return length === 0 ? undefined : buffer.toString('utf8', 0, length);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
      throw error;
    }
  }

  /** The container ends. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.endInput();
    for (const fd of [this.#stdin, ...Object.values(this.#outputs)]) closeSync(fd);
    rmSync(this.#directory, { recursive: true });
  }

  #open(name: string, flags: number): number {
    return openSync(join(this.#directory, name), flags);
  }
}
