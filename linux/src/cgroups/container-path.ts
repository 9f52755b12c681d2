import { joinPath } from './paths.js';

/** What its cgroups need to know of a container; the SDK's Container has it. */
export interface CgroupContainer {
  /** `web`, or `web.debug` for one nested in it. */
  readonly id: string;
  readonly parentId: string | undefined;
  readonly class: 'DEFAULT' | 'DEBUG';
  /** Names the container on this host: two agents may have two of one id. */
  readonly runtimeDirectory: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly config: { readonly shareCgroups?: boolean | undefined };
}

/** A nested container shares those of its parent unless it says otherwise; one of class DEBUG looks into its parent. */
export const ownsCgroups = ({ parentId, class: kind, config }: CgroupContainer): boolean =>
  parentId === undefined || (kind !== 'DEBUG' && config.shareCgroups === false);

/**
 * Where the cgroups of containers are, relative to a hierarchy: `<root>/web`, and for one nested in it, of the id
 * `web.debug`, `<root>/web/mesos/debug`. The shapes are those of Mesos: operators and their tools know them.
 */
const NESTED = 'mesos';

/**
 * In version 2 the processes are in a leaf of their own, for a cgroup that hands on controllers to nested containers may
 * have none itself ("no internal processes", cgroups(7)).
 */
export const LEAF = 'leaf';

export function containerPath(root: string, id: string): string {
  const [outermost = '', ...nested] = id.split('.');
  return nested.reduce((path, name) => `${path}/${NESTED}/${name}`, joinPath(root, outermost));
}

/** The id itself, then each that it is nested in, the outermost last. */
export function lineage(id: string): string[] {
  const levels = id.split('.');
  return levels.map((_, index) => levels.slice(0, levels.length - index).join('.'));
}
