const MOST_BYTES = 8192;
const LONGEST = 200;

/** What du says on stderr: kept as far as it is of use, read to the end all the same. */
export class Complaints {
  #text = '';

  add(chunk: Buffer): void {
    if (this.#text.length < MOST_BYTES) this.#text += chunk.toString('utf8', 0, MOST_BYTES);
  }

  /** The first that is no mere sign of life: what vanishes while du looks at it is gone, and counts for nothing. */
  get first(): string | undefined {
    const serious = this.#text
      .split('\n')
      .find((line) => line.trim() !== '' && !line.endsWith('No such file or directory'));
    return serious === undefined ? undefined : printable(serious.replace(/^(\S*\/)?du: /, ''));
  }
}

/** Names in it are the container's choice (threat model K4). */
const printable = (text: string): string => {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
  return short.replace(/[^ -~]/gu, '?');
};
