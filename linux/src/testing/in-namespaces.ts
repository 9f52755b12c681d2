import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SLOWNESS } from './slowness.js';

/** What the function gets: it runs in a process of its own and can't see what surrounds it here. */
export interface NamespaceModules {
  readonly fs: typeof import('node:fs');
  readonly childProcess: typeof import('node:child_process');
  readonly syscalls: typeof import('../syscalls/index.js');
  readonly processes: typeof import('../process/index.js');
  readonly proc: typeof import('../proc/index.js');
  readonly cgroups: typeof import('../cgroups/index.js');
  readonly codeOf: typeof codeOf;
}

/** `code` of what it throws, such as EPERM; `ok`. */
function codeOf(action: () => unknown): string {
  try {
    action();
    return 'ok';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const MODULES: Readonly<Record<Exclude<keyof NamespaceModules, 'codeOf'>, string>> = {
  fs: 'node:fs',
  childProcess: 'node:child_process',
  syscalls: '@caisson/linux/syscalls',
  processes: '@caisson/linux/process',
  proc: '@caisson/linux/proc',
  cgroups: '@caisson/linux/cgroups',
};

/** The folder of this package: there, a module can import it by its own name, from sources and from an installation. */
function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

const programFor = (body: string, argument: unknown): string => `
import { writeSync } from 'node:fs';
const modules = { ${Object.entries(MODULES).map(([name, path]) => `${name}: await import('${path}')`)}, codeOf: ${codeOf} };
let answer;
try {
  answer = { value: await (${body})(modules, ${JSON.stringify(argument) ?? 'undefined'}) };
} catch (error) {
  answer = { error: { ...error, message: String(error?.message ?? error), stack: error?.stack } };
}
writeSync(3, JSON.stringify(answer));
process.exit();
`;

/**
 * Runs a function in a process with namespaces of its own (flags of unshare(1), such as `--mount`), and returns what it
 * returned, or throws what it threw. Mounts are private to it: nothing of what it does reaches this host. The function
 * travels as its source text, so it can use only its two arguments; they and the result are JSON.
 */
export function inNamespaces<Argument, Result>(
  flags: readonly string[],
  body: (modules: NamespaceModules, argument: Argument) => Result | Promise<Result>,
  argument: Argument,
): Result {
  const conditions = import.meta.url.includes('/dist/') ? ['--conditions=failpoints'] : [];
  const node = [
    process.execPath,
    ...conditions,
    '--input-type=module',
    '--eval',
    programFor(String(body), argument),
  ];
  const { status, signal, output, error } = spawnSync('unshare', [...flags, '--', ...node], {
    cwd: packageFolder(),
    stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
    encoding: 'utf8',
    timeout: 30_000 * SLOWNESS,
  });
  const [, , stderr, report] = output ?? [];
  if (!report)
    throw new Error(`no answer from the namespace (${error ?? signal ?? `exit ${status}`}): ${stderr}`);
  const answer = JSON.parse(report);
  if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
  return answer.value;
}

/** In a mount namespace of its own whose mounts are private. */
export const inMountNamespace = <Argument, Result>(
  body: (modules: NamespaceModules, argument: Argument) => Result | Promise<Result>,
  argument: Argument,
): Result => inNamespaces(['--mount', '--propagation=private'], body, argument);
