import { defineErrors } from '@caisson/plugin-sdk';

export const errors = defineErrors({
  LAUNCH_STEP_FAILED: {
    kind: 'failed',
    message: (id: string, failure: string, _advice: string | undefined) => `container ${id}: ${failure}`,
    hint: (_id: string, _failure: string, advice: string | undefined) => advice,
  },
  COMMAND_NOT_FOUND: {
    kind: 'invalid',
    message: (id: string, command: string, _advice: string | undefined) =>
      `container ${id}: command ${JSON.stringify(command)} not found: execve: ENOENT (No such file or directory)`,
    hint: (_id: string, _command: string, advice: string | undefined) => advice,
  },
  COMMAND_NOT_EXECUTABLE: {
    kind: 'invalid',
    message: (id: string, command: string, errno: string, _advice: string | undefined) =>
      `container ${id}: command ${JSON.stringify(command)} cannot be executed: execve: ${errno}`,
    hint: (_id: string, _command: string, _errno: string, advice: string | undefined) => advice,
  },
  SUPERVISOR_ENDED: {
    kind: 'failed',
    message: (id: string, when: string) => `container ${id}: its supervisor ended ${when}`,
    hint: () => 'look for the reason in the kernel log: it was killed, or the host is out of memory',
  },
  ENDED_BEFORE_EXEC: {
    kind: 'failed',
    message: (id: string, command: string, how: string) =>
      `container ${id}: it ended by ${how} before ${JSON.stringify(command)} was executed`,
    hint: () => 'somebody killed it, a limit is too low, or the host is out of memory: see the kernel log',
  },
  TRACKING_UNAVAILABLE: {
    kind: 'unsupported',
    message: (id: string) =>
      `container ${id}: without a pid namespace its processes are tracked in a cgroup, and this host has none for it`,
    hint: () => 'mount cgroup2, or the freezer of cgroup version 1; or enable namespaces/pid',
  },
  TRACKING_LEFT: {
    kind: 'unsupported',
    message: (id: string, cgroup: string) =>
      `container ${id}: an isolator has moved it to the cgroup ${cgroup}, which is not marked as its own: without a pid ` +
      'namespace nobody could tell its processes there from others, and end them',
    hint: () =>
      'enable namespaces/pid; or the isolator has to mark its cgroup (ContainerCgroups does, and markCgroup), or to make it below ' +
      'the one that it finds the process in',
  },
  ROOTFS_INVALID: {
    kind: 'invalid',
    message: (path: string, why: string) => `root filesystem ${path}: ${why}`,
    hint: () => 'give the directory that shall become "/" of the container',
  },
  USER_UNKNOWN: {
    kind: 'invalid',
    message: (user: string, why: string) => `user ${JSON.stringify(user)}: ${why}`,
    hint: () => 'name a user of this host, or give numbers: 1000:1000',
  },
  CAPABILITY_UNKNOWN: {
    kind: 'invalid',
    message: (name: string) => `capability ${JSON.stringify(name)}: this kernel has none of that name`,
    hint: () => 'names are like NET_ADMIN, without CAP_: see capabilities(7)',
  },
  CAPABILITY_NOT_BOUNDED: {
    kind: 'invalid',
    message: (name: string) =>
      `capability ${name} is asked for as effective but left out of the bounding set`,
    hint: () => 'add it to the bounding set',
  },
  PLAN_UNSUPPORTED: {
    kind: 'unsupported',
    message: (id: string, what: string) => `container ${id}: the launcher linux cannot ${what}`,
  },
  PARENT_ENDED: {
    kind: 'conflict',
    message: (id: string, pid: number) =>
      `container ${id}: process ${pid}, whose namespaces it shall enter, has ended`,
    hint: () => 'launch its parent again first',
  },
  NAMESPACE_OF_UNKNOWN: {
    kind: 'invalid',
    message: (id: string, kind: string, pid: number) =>
      `container ${id}: it shall enter the ${kind} namespace of process ${pid}, a number that may be another's by now`,
    hint: () =>
      'the isolator that plans it has to name the process by its identity: plan.enterNamespace(kind, identify(pid)), of ' +
      '@caisson/linux/process; a number is enough of the parent of a nested container',
  },
  PARENT_TRACES: {
    kind: 'denied',
    message: (id: string) =>
      `container ${id}: its parent has CAP_SYS_PTRACE and not CAP_SYS_ADMIN, and would get that by tracing its launch`,
    hint: () =>
      'launch the parent without SYS_PTRACE, or privileged; or look into it by a container of class DEBUG',
  },
  SIBLING_TRACES: {
    kind: 'denied',
    message: (id: string, tracer: string) =>
      `container ${id}: container ${tracer} sees its launch, has CAP_SYS_PTRACE and not CAP_SYS_ADMIN, and would get that by tracing it`,
    hint: (_id: string, tracer: string) =>
      `end ${tracer} first, or launch it without SYS_PTRACE, or privileged, or in a pid namespace of its own`,
  },
  SANDBOX_FILE_REFUSED: {
    kind: 'denied',
    message: (path: string, why: string) => `${path}: ${why}`,
    hint: () => 'somebody put it there: a sandbox is made by Caisson alone; use another container id',
  },
  PROCESS_LIVES_ON: {
    kind: 'failed',
    message: (id: string, pids: readonly number[]) =>
      `container ${id}: killed, but still there: process ${pids.join(', ')}`,
    hint: () => 'a process in state D waits for a device or a network filesystem; it ends when that answers',
  },
});
