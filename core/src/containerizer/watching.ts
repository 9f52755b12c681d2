/** What ends a container that runs: its process, or what an isolator reports. */
import type { CaissonError, Limitation } from '@caisson/plugin-sdk';
import { tapError } from '../hooks/tap.js';
import type { Core } from './core.js';
import { endContainer } from './ending.js';
import { isLimitation } from './limitation.js';
import type { EndCause, ManagedContainer } from './managed-container.js';

/** A container ends when its process does. */
export function endWithProcess(core: Core, container: ManagedContainer): void {
  const ended = (status: number | undefined) =>
    endInBackground(
      core,
      container,
      container.process?.cause ?? { reason: status === undefined ? 'LOST' : 'EXITED' },
    );
  container.process?.exited.then(ended, () => ended(undefined));
}

/** Every tap is called, also after one that throws: that ends the container, in the name of its isolator. */
export function watch(core: Core, container: ManagedContainer): void {
  const { generation, subject, view, id } = container;
  for (const tap of generation.phases.of('watch', subject)) {
    const fail = (error: unknown) => endInTheNameOf(core, container, error as CaissonError);
    const report = (limitation: Limitation): void => {
      if (container.state === 'ENDED' || (container.cause && !isMereEnd(container.cause))) return;
      if (!isLimitation(limitation))
        fail(tapError(tap, id, 'it reported something that is no limitation: { reason, message }'));
      else limit(core, container, limitation);
    };
    try {
      // `watch` is synchronous; a promise that comes back all the same must not go unhandled.
      generation.phases.call(tap, subject, [view, report])?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}

/** It is known that the process has ended, and not why: the kernel may have killed it for its limit, which comes later. */
const isMereEnd = ({ reason }: EndCause): boolean => reason === 'EXITED' || reason === 'LOST';

function limit(core: Core, container: ManagedContainer, limitation: Limitation): void {
  core.emit({ type: 'limitation', id: container.id, limitation });
  const { reason, message } = limitation;
  container.cause = { reason, message, limitation };
  endInBackground(core, container, container.cause);
}

function endInTheNameOf(core: Core, container: ManagedContainer, error: CaissonError): void {
  core.log.error({ container: container.id, code: error.code }, error.message);
  endInBackground(core, container, { reason: 'WATCH_FAILED', message: error.message });
}

/** While a launch is under way the cause alone ends it, at its next step. */
function endInBackground(core: Core, container: ManagedContainer, cause: ManagedContainer['cause']): void {
  if (core.isClosed) return;
  endContainer(core, container, cause!).catch(() => {}); // reported, and tried again, by ending.ts
}
