import { defineErrors } from '@caisson/plugin-sdk';

const lines = (items: readonly string[]): string => items.map((item) => `\n  - ${item}`).join('');
const listOf = (names: readonly string[]): string => names.join(', ');

/** Errors of the core: code, kind, message, what to do. Launchers and isolators bring their own. */
export const coreErrors = defineErrors({
  // Configuration
  CONFIG_UNREADABLE: {
    kind: 'invalid',
    message: (file: string, why: string) => `the configuration file ${file} cannot be read: ${why}`,
  },
  CONFIG_INVALID: {
    kind: 'invalid',
    message: (source: string, problems: readonly string[]) => `${source}: ${problems.join('; ')}`,
    hint: () => '`caisson config schema` prints every key with its type',
    details: (source: string, problems: readonly string[]) => ({ source, problems }),
  },
  CONFIG_CODE_REFUSED: {
    kind: 'denied',
    message: (file: string) =>
      `as root, ${file} is not executed merely because it lies in the working directory`,
    hint: (file: string) => `name it: --config ${file}; or move it to /etc/caisson; or write it as YAML`,
  },
  FLAG_UNKNOWN: {
    kind: 'invalid',
    message: (source: string) => `${source}: no such setting`,
    hint: () =>
      'settings of isolators exist while the isolator is enabled; `caisson config schema` lists all',
  },
  PATH_UNTRUSTED: {
    kind: 'denied',
    message: (kind: string, path: string, part: string, problem: string) =>
      `root does not use the ${kind} ${path}: ${part} ${problem}`,
    hint: (_kind: string, _path: string, part: string) =>
      `what root executes only root may write: chown root ${part} && chmod go-w ${part}, or put it elsewhere`,
    details: (kind: string, path: string, part: string) => ({ kind, path, part }),
  },

  // Plugins
  ISOLATOR_UNKNOWN: {
    kind: 'invalid',
    message: (name: string, _packageName: string) =>
      `unknown isolator ${name}: no package that brings it is installed`,
    hint: (name: string, packageName: string) =>
      `npm install ${packageName}; if another package brings ${name}, install that and list it in \`plugins\``,
    details: (name: string, packageName: string) => ({ isolator: name, package: packageName }),
  },
  LAUNCHER_UNKNOWN: {
    kind: 'invalid',
    message: (name: string, _packageName: string) =>
      `unknown launcher ${name}: no package that brings it is installed`,
    hint: (_name: string, packageName: string) =>
      `npm install ${packageName}; the launcher posix is always there`,
  },
  PLUGIN_NOT_INSTALLED: {
    kind: 'invalid',
    message: (name: string, from: readonly string[]) =>
      `the plugin ${name} is not installed: looked for from ${from.join(', then ')}`,
    hint: (name: string) => `npm install ${name}`,
  },
  PLUGIN_MANIFEST_INVALID: {
    kind: 'invalid',
    message: (name: string, problem: string) => `${name} is no plugin of Caisson: ${problem}`,
    hint: () => 'a plugin lists what it brings in package.json: "caisson": { "isolators": ["acme/tally"] }',
  },
  PLUGIN_LOAD_FAILED: {
    kind: 'failed',
    message: (name: string, file: string, why: string) =>
      `the plugin ${name} does not load (${file}): ${why}`,
  },
  PLUGIN_EXPORT_INVALID: {
    kind: 'invalid',
    message: (name: string, problem: string) => `the plugin ${name}: ${problem}`,
    hint: () => 'its default export is the result of definePlugin({ isolators: [...] })',
  },
  PLUGIN_SDK_MISMATCH: {
    kind: 'unsupported',
    message: (name: string, range: string, running: string) =>
      `the plugin ${name} is made for @caisson/plugin-sdk ${range}, and ${running} runs`,
    hint: (name: string) =>
      `install a version of ${name} that fits, or the version of Caisson that it is made for`,
  },
  NAME_BROUGHT_TWICE: {
    kind: 'conflict',
    message: (kind: string, name: string, packages: readonly string[]) =>
      `the ${kind} ${name} is brought by ${packages.join(' and by ')}`,
    hint: () => 'remove one of the packages, or take it out of `plugins`',
  },
  REQUIREMENTS_UNMET: {
    kind: 'unsupported',
    message: (problems: readonly string[]) => `what is enabled cannot run like this:${lines(problems)}`,
    details: (problems: readonly string[]) => ({ problems }),
  },
  ALTERNATIVES_EXHAUSTED: {
    kind: 'unsupported',
    message: (reasons: readonly string[]) =>
      `none of the configuration's alternatives can run on this host:${lines(reasons)}`,
    details: (reasons: readonly string[]) => ({ reasons }),
  },
  PLUGIN_START_FAILED: {
    kind: 'failed',
    message: (kind: string, name: string, why: string) => `the ${kind} ${name} cannot be created: ${why}`,
  },
  TAP_REFUSED: {
    kind: 'invalid',
    message: (isolator: string, phase: string, problem: string) =>
      `${isolator}: tap of ${phase} refused: ${problem}`,
    hint: () =>
      'an isolator taps each phase once, under its own name, while `apply` runs; order is configured',
  },

  // Phases
  TAP_FAILED: {
    kind: 'failed',
    message: (isolator: string, phase: string, container: string, why: string) =>
      `${isolator} failed in ${phase} of container ${container}: ${why}`,
  },
  TAP_TIMED_OUT: {
    kind: 'timeout',
    message: (isolator: string, phase: string, container: string, ms: number) =>
      `${isolator} did not finish ${phase} of container ${container} within ${ms} ms`,
    hint: (_isolator: string, phase: string) =>
      `a longer time: timeouts: { ${phase}: ... } in the configuration`,
  },
  TAP_NONSENSE: {
    kind: 'failed',
    message: (isolator: string, phase: string, container: string, problem: string) =>
      `${isolator} broke the contract in ${phase} of container ${container}: ${problem}`,
  },
  PHASE_FAILED: {
    kind: 'failed',
    message: (phase: string, container: string, problems: readonly string[]) =>
      `${phase} of container ${container} failed:${lines(problems)}`,
    details: (phase: string, container: string, problems: readonly string[]) => ({
      phase,
      container,
      problems,
    }),
  },
  LAUNCHER_FAILED: {
    kind: 'failed',
    message: (launcher: string, step: string, container: string, why: string) =>
      `the launcher ${launcher} failed to ${step} container ${container}: ${why}`,
  },
  LAUNCHER_TIMED_OUT: {
    kind: 'timeout',
    message: (launcher: string, step: string, container: string, ms: number) =>
      `the launcher ${launcher} did not ${step} container ${container} within ${ms} ms`,
    hint: (_launcher: string, step: string) =>
      `a longer time: timeouts: { ${step}: ... } in the configuration`,
  },

  // Containers
  CONTAINER_CONFIG_INVALID: {
    kind: 'invalid',
    message: (id: string, problems: readonly string[]) =>
      `the configuration of container ${id}: ${problems.join('; ')}`,
    details: (id: string, problems: readonly string[]) => ({ container: id, problems }),
  },
  CONTAINER_EXISTS: {
    kind: 'conflict',
    message: (id: string, state: string) => `there is a container ${id} already (${state})`,
    hint: (_id: string, state: string) =>
      state === 'ENDED' ? 'remove it first, or choose another id' : 'choose another id',
  },
  CONTAINER_UNKNOWN: {
    kind: 'not-found',
    message: (id: string) => `there is no container ${id}`,
  },
  CONTAINER_NOT_ENDED: {
    kind: 'conflict',
    message: (id: string, state: string) => `container ${id} has not ended yet (${state})`,
    hint: () => 'destroy it first',
  },
  CONTAINER_NOT_RUNNING: {
    kind: 'conflict',
    message: (id: string, state: string) => `container ${id} is not running (${state})`,
  },
  SIGNAL_INVALID: {
    kind: 'invalid',
    message: (signal: unknown) => `${signal} is no signal: 1 to 64 are`,
  },
  PARENT_NOT_RUNNING: {
    kind: 'conflict',
    message: (id: string, parent: string, state: string) =>
      `container ${id} cannot be nested: its parent ${parent} is not running (${state})`,
  },
  DEBUG_VOLUMES: {
    kind: 'invalid',
    message: (id: string) => `container ${id}: a DEBUG container has no volumes: it sees those of its parent`,
    hint: () => 'leave the volumes out, or launch it with the class DEFAULT',
  },
  VOLUME_UNSUPPORTED: {
    kind: 'unsupported',
    message: (id: string, kind: string, _usual: string) =>
      `container ${id}: no enabled isolator serves volumes of the kind ${kind}`,
    hint: (_id: string, _kind: string, usual: string) => `add one that does to isolation, such as ${usual}`,
  },
  DEBUG_NEEDS_PARENT: {
    kind: 'invalid',
    message: (id: string) => `container ${id} of class DEBUG has no parent to look into`,
    hint: () => 'give it an id such as web.debug',
  },
  SANDBOX_EXISTS: {
    kind: 'conflict',
    message: (id: string, path: string) =>
      `container ${id} cannot have the sandbox ${path}: it exists already`,
    hint: (_id: string, path: string) =>
      `a container of another owner has it, or it was kept; choose another id, or remove ${path} if nobody needs it`,
  },
  SANDBOX_REFUSED: {
    kind: 'denied',
    message: (id: string, path: string, problem: string) =>
      `container ${id} does not get the sandbox ${path}: ${problem}`,
  },
  DESTROYED_DURING_LAUNCH: {
    kind: 'conflict',
    message: (id: string, why: string) => `container ${id} was destroyed during its launch: ${why}`,
  },
  DESTROY_FAILED: {
    kind: 'failed',
    message: (id: string, problems: readonly string[]) =>
      `container ${id} is not completely undone:${lines(problems)}`,
    hint: () => 'this is tried again in the background; destroy it again to try at once',
    details: (id: string, problems: readonly string[]) => ({ container: id, problems }),
  },
  ISOLATORS_MISSING: {
    kind: 'conflict',
    message: (id: string, missing: readonly string[]) =>
      `container ${id} was launched with ${listOf(missing)}, which is not enabled any more`,
    hint: (_id: string, missing: readonly string[]) =>
      `enable ${listOf(missing)} again and restart, then it can be undone`,
  },
  CONTAINERIZER_CLOSED: {
    kind: 'conflict',
    message: () => 'the containerizer was closed',
  },

  // State on disk
  DIRECTORY_IN_USE: {
    kind: 'conflict',
    message: (directory: string, owner: string) => `${directory} is in use by ${owner}`,
    hint: () => 'stop that process, or set another runtimeDir and workDir',
  },
  DIRECTORY_UNSAFE: {
    kind: 'denied',
    message: (directory: string, problem: string) => `${directory} cannot hold state: it ${problem}`,
    hint: (directory: string) => `remove ${directory}, or set another directory`,
  },
  STATE_WRITE_FAILED: {
    kind: 'exhausted',
    message: (file: string, why: string) => `${file} cannot be written: ${why}`,
    hint: () => 'free space or make the filesystem writable; nothing that was written before is lost',
  },
  STATE_UNREADABLE: {
    kind: 'failed',
    message: (file: string, why: string, setAside: string) =>
      `${file} cannot be read (${why}); it was set aside as ${setAside}`,
    hint: () => 'look at it, then remove it',
  },

  // Launcher posix
  POSIX_UNSUPPORTED: {
    kind: 'unsupported',
    message: (what: string, who: string) => `the launcher posix has no ${what}; asked for by ${who}`,
    hint: () => 'use the launcher linux, as root on Linux, with the isolators that give it',
  },
  POSIX_SPAWN_FAILED: {
    kind: 'failed',
    message: (id: string, why: string) => `the first process of container ${id} cannot be started: ${why}`,
  },
  // The same codes for the same failures as the launcher linux has: they become exit statuses 126 and 127.
  COMMAND_NOT_FOUND: {
    kind: 'invalid',
    message: (id: string, command: string) =>
      `container ${id}: command ${JSON.stringify(command)} not found (ENOENT)`,
    hint: () =>
      'it is looked up in the PATH of the container; an interpreter that its first line names must be there too',
    details: () => ({ errno: 'ENOENT' }),
  },
  COMMAND_NOT_EXECUTABLE: {
    kind: 'invalid',
    message: (id: string, command: string) =>
      `container ${id}: command ${JSON.stringify(command)} is not executable (EACCES or ENOEXEC)`,
    hint: () => 'it must be a program, with the permission to execute it for the user of the container',
  },
  POSIX_EXEC_FAILED: {
    kind: 'failed',
    message: (id: string, command: string, why: string) =>
      `container ${id}: ${command} cannot be executed: ${why}`,
  },
  POSIX_ENDED_AT_GATE: {
    kind: 'failed',
    message: (id: string) => `the first process of container ${id} ended before it executed the command`,
  },
  POSIX_SURVIVORS: {
    kind: 'failed',
    message: (id: string, pids: readonly number[]) =>
      `processes of container ${id} live on: ${pids.join(', ')}`,
  },
  USER_UNKNOWN: {
    kind: 'invalid',
    message: (user: string, why: string) => `user ${JSON.stringify(user)}: ${why}`,
  },
  USER_DENIED: {
    kind: 'denied',
    message: (user: string, caller: number) =>
      `only root can start a container as user ${JSON.stringify(user)}; this process is uid ${caller}`,
  },
});
