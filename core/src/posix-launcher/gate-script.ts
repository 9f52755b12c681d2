/**
 * What /bin/sh does as a container's first process: waits at the gate, then becomes the command.
 *
 *  3  the gate: one line opens it, end of file means exit (threat model N6): a killed agent leaves nobody behind
 *  4  the report: `r` once the gate is passed, then end of file when the command was executed, or its exit status
 *
 * A redirection of a `{ }` makes the shell keep the old descriptor aside, close-on-exec: so 4 closes by the exec itself,
 * and never reaches the command. When exec fails, dash and busybox leave through the EXIT trap, bash (macOS) goes on
 * behind it, with `execfail`.
 */
const GATE = `IFS= read -r _ <&3 || exit 125
exec 3<&-
[ -z "\${BASH_VERSION-}" ] || shopt -s execfail
trap 'printf " %s" "$?" >&4' EXIT
printf r >&4
{ command exec "$@"; } 4>&-`;

/** Variables that shells set on their own and hand on. */
const SHELL_VARIABLES = ['PWD', 'OLDPWD', 'SHLVL'];

export interface GateOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined to leave it as it is. */
  readonly oomScoreAdj: number | undefined;
}

/** The status with which the shell says that it could not set up the process. */
export const SETUP_FAILED = 124;

/** Born with umask 022 and no core dumps, and an environment without the shell's own variables (N13). */
export function gateScript({ environment, oomScoreAdj }: GateOptions): string {
  const added = SHELL_VARIABLES.filter((name) => !(name in environment));
  return [
    'umask 022',
    'ulimit -c 0',
    ...(oomScoreAdj === undefined
      ? []
      : [
          `echo ${oomScoreAdj} >/proc/self/oom_score_adj || { printf "r ${SETUP_FAILED}" >&4; exit ${SETUP_FAILED}; }`,
        ]),
    ...(added.length > 0 ? [`unset ${added.join(' ')}`] : []),
    GATE,
  ].join('\n');
}

export type GateReport = 'executed' | 'ended at the gate' | { readonly status: number };

export function parseReport(text: string): GateReport {
  const match = /^r(?: (\d+))?$/.exec(text);
  if (!match) return 'ended at the gate';
  return match[1] === undefined ? 'executed' : { status: Number(match[1]) };
}
