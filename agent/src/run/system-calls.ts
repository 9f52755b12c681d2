import type { Containerizer } from '@caisson/core';
import type { ContainerConfig } from '@caisson/plugin-sdk';
import { errors } from '../errors.js';

/**
 * `--syscalls`: the calls that a launch makes between the gate and the command. The container is prepared and held at
 * the gate as ever, so that they are the real ones; then it is undone, and the command never runs.
 *
 * @throws SYSTEM_CALLS_UNKNOWN of a launcher that makes none of its own; what keeps a container from being launched
 */
export async function systemCallsOfLaunch(
  containerizer: Containerizer,
  id: string | undefined,
  config: ContainerConfig,
): Promise<string> {
  let atTheGate = false;
  let calls: string | undefined;
  containerizer.onEvent((event) => {
    if (event.type !== 'state' || event.state !== 'ISOLATING') return;
    atTheGate = true;
    calls = containerizer.inspect(event.id).systemCalls;
    containerizer.destroy(event.id).catch(() => {}); // told by `close`
  });
  await containerizer.launch(id, config).catch((error: unknown) => {
    if (!atTheGate) throw error;
  });
  if (calls === undefined) throw errors.SYSTEM_CALLS_UNKNOWN(containerizer.selection.launcher);
  return calls;
}
