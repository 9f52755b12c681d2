/** The messages of a stream of input or output. A member that its type has no use for is left alone, as in protobuf. */
import { z } from '@caisson/plugin-sdk';
import { frame } from '../../record-io.js';
import { nanoseconds } from '../calls/values.js';

const characters = z.number().int().min(0).max(65535);
export const WindowSizeSchema = z.object({ rows: characters, columns: characters });
export const TtyInfoSchema = z.object({ window_size: WindowSizeSchema.optional() });

/** What may be sent to a container. */
export const InputSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('DATA'),
    data: z.object({ type: z.literal('STDIN'), data: z.base64() }),
  }),
  z.object({
    type: z.literal('CONTROL'),
    control: z.discriminatedUnion('type', [
      z.object({ type: z.literal('TTY_INFO'), tty_info: z.object({ window_size: WindowSizeSchema }) }),
      z.object({ type: z.literal('HEARTBEAT') }),
    ]),
  }),
]);
export type Input = z.infer<typeof InputSchema>;

export type OutputName = 'stdout' | 'stderr';

/** Bytes of the files of a sandbox. */
const position = z.number().int().nonnegative();
export const PositionSchema = z.object({ stdout: position.optional(), stderr: position.optional() });
export type Position = Partial<Record<OutputName, number>>;

const TYPES: Readonly<Record<OutputName, string>> = { stdout: 'STDOUT', stderr: 'STDERR' };

export const outputFrame = (name: OutputName, data: Buffer): Buffer =>
  frame({ type: 'DATA', data: { type: TYPES[name], data: data.toString('base64') } });

export const heartbeatFrame = (intervalMs: number): Buffer =>
  frame({
    type: 'CONTROL',
    control: { type: 'HEARTBEAT', heartbeat: { interval: nanoseconds(intervalMs) } },
  });

/** Where in its files what follows begins, for who asked from where on. */
export const positionFrame = (position: Position): Buffer =>
  frame({ type: 'CONTROL', control: { type: 'POSITION', position } });

/** So much of the input of whoever sends it is with the container. */
export const writtenFrame = (bytes: number): Buffer =>
  frame({ type: 'CONTROL', control: { type: 'INPUT_WRITTEN', input_written: { bytes } } });
