import { Cgroups } from '@caisson/linux/cgroups';
import { Mounts } from '@caisson/linux/proc';
import { injectable } from '@caisson/plugin-sdk';

/** What the tokens `Cgroups` and `Mounts` of the SDK stand for on this host. */
@injectable()
export class HostCgroups extends Cgroups {}

@injectable()
export class HostMounts extends Mounts {}
