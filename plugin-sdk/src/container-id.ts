import { defineErrors } from './errors.js';

/**
 * A container's name: one level, or a path of levels joined by `.` for nested containers (`web.debug`).
 * A level is 1 to 242 characters without control characters, `/`, `\`, `.` and space, so it is at once a file
 * name, a cgroup name and unambiguous in the joined form (spec: containerizer, container identity).
 */
export type ContainerId = string;

const LONGEST_LEVEL = 242;
const DEEPEST = 32; // pid namespaces nest 32 deep (pid_namespaces(7))

export const containerIdErrors = defineErrors({
  CONTAINER_ID_INVALID: {
    kind: 'invalid',
    message: (id: string, why: string) => `container id ${JSON.stringify(id)}: ${why}`,
    hint: () => 'use letters, digits, "-" and "_"; join the levels of a nested container with "."',
  },
});

function levelProblem(level: string): string | undefined {
  if (level === '') return 'a level is empty';
  if (Buffer.byteLength(level) > LONGEST_LEVEL) return `a level is longer than ${LONGEST_LEVEL} bytes`;
  const forbidden = /[\u0000-\u001f\u007f-\u009f/\\ ]/.exec(level);
  if (forbidden) return `the character ${JSON.stringify(forbidden[0])} is not allowed`;
  return undefined;
}

/** Returns the id, or throws CONTAINER_ID_INVALID. */
export function parseContainerId(text: string): ContainerId {
  const levels = text.split('.');
  if (levels.length > DEEPEST)
    throw containerIdErrors.CONTAINER_ID_INVALID(text, `more than ${DEEPEST} levels`);
  for (const level of levels) {
    const problem = levelProblem(level);
    if (problem) throw containerIdErrors.CONTAINER_ID_INVALID(text, problem);
  }
  return text;
}

/** The id of the container that this one is nested in. */
export function parentOf(id: ContainerId): ContainerId | undefined {
  const dot = id.lastIndexOf('.');
  return dot < 0 ? undefined : id.slice(0, dot);
}

/** The id of the outermost container. */
export function rootOf(id: ContainerId): ContainerId {
  const dot = id.indexOf('.');
  return dot < 0 ? id : id.slice(0, dot);
}

/** The last level: the container's name within its parent. */
export function nameOf(id: ContainerId): string {
  return id.slice(id.lastIndexOf('.') + 1);
}
