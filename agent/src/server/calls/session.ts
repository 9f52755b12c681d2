/** LAUNCH_NESTED_CONTAINER_SESSION: a DEBUG container that lives as long as somebody reads what it writes. */
import {
  type ContainerConfig,
  ContainerConfigSchema,
  type ContainerId,
  messageOf,
  z,
} from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { fromWire, WireIdSchema } from '../http/ids.js';
import type { OutputStream } from '../switchboard/output-stream.js';
import { openStream } from './attach.js';
import { type Call, type Caller, defineCall, type ReadyContext, type StreamAnswer } from './call.js';
import { statusOfLaunch } from './containers.js';
import { CommandInfoSchema, ContainerInfoSchema, configOf } from './launch-message.js';

const TYPE = 'LAUNCH_NESTED_CONTAINER_SESSION';
/** Who has closed his stdout and stderr is about to end: with his own status, if he makes haste. */
const GRACE_MS = 1_000;

const SessionSchema = z.object({
  container_id: WireIdSchema,
  command: CommandInfoSchema.optional(),
  container: ContainerInfoSchema.optional(),
  config: ContainerConfigSchema.optional(),
});
type SessionMessage = z.infer<typeof SessionSchema>;

/** @throws CALL_INVALID, UNSUPPORTED_FIELD */
function sessionConfig(message: SessionMessage): ContainerConfig {
  if (!message.container_id.parent) throw apiErrors.CALL_INVALID(TYPE, ['container_id.parent: required']);
  if (message.container?.linux_info?.share_cgroups === false)
    throw apiErrors.CALL_INVALID(TYPE, ['share_cgroups: a session has the cgroups of its parent']);
  const config = configOf({ ...message, resources: [] });
  return { ...config, class: 'DEBUG', stdio: config.stdio === 'terminal' ? 'terminal' : 'pipes' };
}

async function launchSession(
  message: SessionMessage,
  context: ReadyContext,
  { signal }: Caller,
): Promise<StreamAnswer> {
  const { containers, switchboard } = context;
  const id = fromWire(message.container_id);
  const config = sessionConfig(message);
  let stream: OutputStream | undefined;
  // At the gate: of a command that is quick, everything is over when the launch is answered.
  const stopExpecting = switchboard.expect(id, (board) => {
    stream = openStream(board, context);
  });
  try {
    await containers.launch(id, config);
  } catch (error) {
    stream?.destroy();
    throw error;
  } finally {
    stopExpecting();
  }
  if (!stream) {
    await containers.destroy(id);
    throw apiErrors.UNEXPECTED(`the output of container ${id} cannot be taken`);
  }
  const session = stream;
  session.once('close', () => void endSession(id, session.readableEnded, context));
  if (signal.aborted) session.destroy();
  return { stream: session };
}

/** @param isOver  everything was read to its end; else the client has left */
async function endSession(
  id: ContainerId,
  isOver: boolean,
  { containers, log }: ReadyContext,
): Promise<void> {
  try {
    if (!(isOver && (await endsWithin(id, containers)))) await containers.destroy(id);
  } catch (error) {
    log.warn({ container: id, error: messageOf(error) }, 'a session is not undone yet');
  }
}

async function endsWithin(id: ContainerId, containers: ReadyContext['containers']): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, GRACE_MS, false);
  });
  try {
    return await Promise.race([containers.wait(id).then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}

export const sessionCall: Call = defineCall({
  type: TYPE,
  summary:
    'launch a command in a running container and stream what it writes; it ends with the stream, and with the client',
  right: 'write',
  input: SessionSchema,
  streams: true,
  endsWithAgent: true,
  handle: launchSession,
  statusOf: statusOfLaunch,
});
