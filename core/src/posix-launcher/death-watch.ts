import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends containers when this process ends, even by SIGKILL: without FFI there is no parent-death signal, so a shell in a
 * session of its own holds the other end of a pipe, knows their process groups, and kills them at end of file. One for
 * all containers that asked for it. Processes that left their group are found by the next start.
 */
const SCRIPT = `trap '' INT TERM HUP
groups=
while read -r what pid; do
  left=
  for each in $groups; do [ "$each" = "-$pid" ] || left="$left $each"; done
  groups=$left
  [ "$what" = del ] || groups="$groups -$pid"
done
[ -z "$groups" ] || kill -s KILL -- $groups`;

export class DeathWatch {
  readonly #groups = new Set<number>();
  #shell: ChildProcess | undefined;

  /** Before the gate opens: the pipe is written at once, so it is in there whatever comes. */
  add(group: number): void {
    this.#groups.add(group);
    if (this.#shell) this.#tell(`add ${group}`);
    else this.#start();
  }

  delete(group: number): void {
    if (this.#groups.delete(group)) this.#tell(`del ${group}`);
  }

  /** What is still watched ends now, as when this process ends. */
  close(): void {
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): void {
    const shell = spawn('/bin/sh', ['-c', SCRIPT], {
      cwd: '/',
      detached: true,
      env: { PATH: '/bin:/usr/bin' },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#shell = shell;
    const gone = () => {
      if (this.#shell === shell) this.#shell = undefined;
    };
    shell.on('error', gone);
    shell.on('exit', gone);
    shell.stdin?.on('error', gone);
    // It keeps nobody waiting.
    shell.unref();
    (shell.stdin as { unref?(): void } | null)?.unref?.();
    for (const group of this.#groups) this.#tell(`add ${group}`);
  }

  #tell(line: string): void {
    this.#shell?.stdin?.write(`${line}\n`);
  }
}
