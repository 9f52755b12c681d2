import { errors } from '../errors.js';

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/** Finds the keys that detach among what is typed. Those that begin like them wait for the next one. */
export class DetachKeys {
  #held = 0;

  constructor(private readonly keys: Buffer) {}

  /** `ctrl-p,ctrl-q`, or characters. @throws FLAG_INVALID */
  static parse(text: string): DetachKeys {
    const keys = text.split(',').map((key) => {
      const [, letter] = /^ctrl-([a-z@[\\\]^_])$/.exec(key) ?? [];
      if (letter !== undefined) return letter.toUpperCase().charCodeAt(0) & 0x1f;
      if (key.length === 1) return key.charCodeAt(0);
      throw errors.FLAG_INVALID('--detach-keys', text, DEFAULT_DETACH_KEYS);
    });
    return new DetachKeys(Buffer.from(keys));
  }

  /** What is for the container; `detached` once all keys have come. */
  take(typed: Buffer): { readonly data: Buffer; readonly detached: boolean } {
    const data: number[] = [];
    for (const key of typed) {
      // What was held was meant for the container after all; this key may begin anew.
      if (key !== this.keys[this.#held]) {
        data.push(...this.keys.subarray(0, this.#held));
        this.#held = 0;
      }
      if (key !== this.keys[this.#held]) data.push(key);
      else this.#held += 1;
      if (this.#held === this.keys.length) return { data: Buffer.from(data), detached: true };
    }
    return { data: Buffer.from(data), detached: false };
  }
}
