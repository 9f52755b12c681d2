/** The messages of a stream of input or output, as the client writes and reads them. */
import type { WireId } from './messages.js';

type Body = Readonly<Record<string, unknown>>;

export interface OutputPiece {
  readonly isError: boolean;
  readonly data: Buffer;
}

/** Undefined for what is no data. */
export function outputOf({ data }: Body): OutputPiece | undefined {
  const { type, data: text } = (data ?? {}) as { type?: string; data?: string };
  if (typeof text !== 'string') return undefined;
  return { isError: type === 'STDERR', data: Buffer.from(text, 'base64') };
}

/** By the files of the sandbox; bytes. */
export type Position = Partial<Record<'stdout' | 'stderr', number>>;

/** Where what follows begins, if the record says that. */
export const positionOf = (record: Body): Position | undefined =>
  controlOf(record, 'POSITION')?.position as Position | undefined;

/** How much more of our input the container has. */
export function writtenOf(record: Body): number {
  const { bytes } = (controlOf(record, 'INPUT_WRITTEN')?.input_written ?? {}) as { bytes?: number };
  return bytes ?? 0;
}

function controlOf({ control }: Body, type: string): Body | undefined {
  const body = (control ?? {}) as Body;
  return body.type === type ? body : undefined;
}

export const inputOf = (container_id: WireId): Body => ({ type: 'CONTAINER_ID', container_id });

/** An empty one is the end. */
export const stdinPiece = (data: Buffer): Body =>
  processIo({ type: 'DATA', data: { type: 'STDIN', data: data.toString('base64') } });

export const windowSizeOf = ({ columns, rows }: NodeJS.WriteStream): Body =>
  processIo({ type: 'CONTROL', control: { type: 'TTY_INFO', tty_info: { window_size: { rows, columns } } } });

const processIo = (process_io: Body): Body => ({ type: 'PROCESS_IO', process_io });
