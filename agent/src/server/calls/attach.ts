/** ATTACH_CONTAINER_OUTPUT, ATTACH_CONTAINER_INPUT: what a container writes to its terminal or pipes, and what it reads. */
import { z } from '@caisson/plugin-sdk';
import { fromWire, WireIdSchema } from '../http/ids.js';
import type { Board } from '../switchboard/board.js';
import type { OutputStream } from '../switchboard/output-stream.js';
import {
  heartbeatFrame,
  type Input,
  InputSchema,
  type Position,
  PositionSchema,
} from '../switchboard/process-io.js';
import { type Call, type Caller, defineCall, type ReadyContext, type StreamAnswer } from './call.js';
import { Interruptible } from './interruptible.js';

/** After its last output a container takes no more input. */
const AFTER_THE_END_MS = 1_000;

/** A stream with heartbeats. */
export function openStream(
  board: Board,
  { settings: { heartbeatMs } }: Pick<ReadyContext, 'settings'>,
  patienceMs?: number,
  how: { readonly from?: Position | undefined; readonly isBack?: boolean | undefined } = {},
): OutputStream {
  const stream = board.attach(patienceMs, how);
  const frame = heartbeatFrame(heartbeatMs);
  const heart = setInterval(() => stream.beat(frame), heartbeatMs).unref();
  stream.once('close', () => clearInterval(heart));
  return stream;
}

const Output = z.object({
  container_id: WireIdSchema,
  from: PositionSchema.optional(),
  is_back: z
    .boolean()
    .optional()
    .describe('of an agent whose client had attached to it before another one took over: default false'),
});
const FirstInput = z.object({ type: z.literal('CONTAINER_ID'), container_id: WireIdSchema });
const NextInput = z.object({ type: z.literal('PROCESS_IO'), process_io: InputSchema });

function attachOutput(
  { container_id, from, is_back: isBack }: z.infer<typeof Output>,
  context: ReadyContext,
): StreamAnswer {
  const board = context.switchboard.find(fromWire(container_id));
  const stream = openStream(board, context, context.settings.limits.slowReaderMs, { from, isBack });
  // Who knows where he is misses nothing, whenever he comes back.
  return {
    stream,
    continued: () => ({ container_id, ...(from ? { from: stream.position } : { is_back: true }) }),
  };
}

/** Until the client has sent everything, or is gone, or the container has written its last. */
async function attachInput(
  { container_id }: z.infer<typeof FirstInput>,
  { switchboard }: ReadyContext,
  { signal, records }: Caller,
): Promise<undefined> {
  const board = switchboard.find(fromWire(container_id));
  const giveBack = board.input.take();
  const until = new Interruptible();
  signal.addEventListener('abort', () => until.interrupt(), { once: true });
  board.finished.then(() => setTimeout(() => until.interrupt(), AFTER_THE_END_MS).unref());
  try {
    for (;;) {
      const next = await until.settled(records!.next());
      if (!next || next.done) return;
      await until.settled(handOver((next.value as z.infer<typeof NextInput>).process_io, board));
    }
  } finally {
    giveBack();
  }
}

async function handOver(message: Input, board: Board): Promise<void> {
  if (message.type === 'DATA') {
    const data = Buffer.from(message.data.data, 'base64');
    if (data.length === 0) return board.input.end();
    await board.input.write(data);
    board.acknowledge(data.length);
  } else if (message.control.type === 'TTY_INFO') {
    const { columns, rows } = message.control.tty_info.window_size;
    board.resize(columns, rows);
  }
}

export const attachCalls: readonly Call[] = [
  defineCall({
    type: 'ATTACH_CONTAINER_OUTPUT',
    summary:
      'what a container writes from now on, or `from` where in its files, as a stream of ProcessIO; for any number of clients',
    right: 'read',
    input: Output,
    streams: true,
    handle: attachOutput,
  }),
  defineCall({
    type: 'ATTACH_CONTAINER_INPUT',
    summary:
      'a stream of records: the id of a container, then ProcessIO that it reads, or a new size of its terminal; 409 if another client sends to it',
    right: 'write',
    input: FirstInput,
    following: NextInput,
    lasts: true,
    handle: attachInput,
  }),
];
