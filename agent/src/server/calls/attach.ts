/** ATTACH_CONTAINER_OUTPUT, ATTACH_CONTAINER_INPUT: what a container writes to its terminal or pipes, and what it reads. */
import { z } from '@caisson/plugin-sdk';
import { fromWire, WireIdSchema } from '../http/ids.js';
import type { Board } from '../switchboard/board.js';
import type { OutputStream } from '../switchboard/output-stream.js';
import { heartbeatFrame, type Input, InputSchema } from '../switchboard/process-io.js';
import { type Call, type Caller, defineCall, type ReadyContext, type StreamAnswer } from './call.js';
import { Interruptible } from './interruptible.js';

/** After its last output a container takes no more input. */
const AFTER_THE_END_MS = 1_000;

/** A stream with heartbeats. */
export function openStream(
  board: Board,
  { settings: { heartbeatMs } }: Pick<ReadyContext, 'settings'>,
  patienceMs?: number,
  isBack?: boolean,
): OutputStream {
  const stream = board.attach(patienceMs, isBack);
  const frame = heartbeatFrame(heartbeatMs);
  const heart = setInterval(() => stream.beat(frame), heartbeatMs).unref();
  stream.once('close', () => clearInterval(heart));
  return stream;
}

const ATTACH_OUTPUT = 'ATTACH_CONTAINER_OUTPUT';
const Output = z.object({
  container_id: WireIdSchema,
  is_back: z
    .boolean()
    .optional()
    .describe('of an agent whose client had attached to it before another one took over: default false'),
});
const FirstInput = z.object({ type: z.literal('CONTAINER_ID'), container_id: WireIdSchema });
const NextInput = z.object({ type: z.literal('PROCESS_IO'), process_io: InputSchema });

const attachOutput = (
  { container_id, is_back }: z.infer<typeof Output>,
  context: ReadyContext,
): StreamAnswer => ({
  stream: openStream(
    context.switchboard.find(fromWire(container_id)),
    context,
    context.settings.limits.slowReaderMs,
    is_back,
  ),
});

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
    await (data.length > 0 ? board.input.write(data) : board.input.end());
  } else if (message.control.type === 'TTY_INFO') {
    const { columns, rows } = message.control.tty_info.window_size;
    board.resize(columns, rows);
  }
}

export const attachCalls: readonly Call[] = [
  defineCall({
    type: ATTACH_OUTPUT,
    summary: 'what a container writes from now on, as a stream of ProcessIO; for any number of clients',
    right: 'read',
    input: Output,
    streams: true,
    continued: (input) => ({ type: ATTACH_OUTPUT, attach_container_output: { ...input, is_back: true } }),
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
