import { Label } from '@caisson/linux/exec-stage';
import { awaitMessage, descriptorIn, GIVEN } from '../fork-server-image.js';
import { hostTrees } from '../host-trees.js';
import type { LaunchStep } from '../step.js';

const MSG_WAITALL = 0x100;
const STREAMS = 3;

/**
 * Step await-launch: only in a process that waits for its launch, behind all that is the same for each launch of its kind. It
 * gets the three descriptors of its standard streams, which take the lowest free numbers (unix(7)), the host's trees if it has
 * let go of the host, and what fills the slots.
 */
export const awaitLaunch: LaunchStep = {
  name: 'await-launch',
  only: 'received',
  compile(plan, table) {
    // They were kept taken, so that no descriptor of the steps before is in the way.
    table.call('close_range', [0, 2, 0]);
    const receive = new Label('receive the slots');
    const trees = table.letsGoOfHost ? hostTrees(plan) : [];
    const { length, control } = awaitMessage(table, receive, STREAMS + trees.length);
    trees.forEach(({ name }, index) => {
      table.given.set(name, descriptorIn(table, control, STREAMS + index));
    });
    table.place(receive);
    const slots = [GIVEN.socket, table.slots(), table.valueAt(length), MSG_WAITALL, 0, 0];
    table.call('recvfrom', slots, { expect: 0 });
    table.call('close', [GIVEN.socket]);
  },
};
