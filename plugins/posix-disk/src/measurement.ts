/** What was found in a directory. */
export interface Found {
  readonly usedBytes: number;
  /** Files and directories, where they were counted. */
  readonly files?: number | undefined;
  /** Not everything could be counted, and why: the figure is a lower bound. */
  readonly problem?: string | undefined;
  /** Bytes in it that a quota of the kernel doesn't hold. */
  readonly unboundBytes?: number | undefined;
}

/** What was found, and when. */
export interface Measurement extends Found {
  /** On the monotonic clock: when the figure was true. */
  readonly atMs: number;
  readonly durationMs: number;
}
