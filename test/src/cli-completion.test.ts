/** `caisson completion`: what a shell makes of it that has sourced it, with a real agent. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RealAgent } from './agent/real-agent.js';
import { caissonFile, Folder } from './caisson.js';
import { Running } from './running.js';

const folder = new Folder({ launcher: 'posix', isolation: ['filesystem/posix'] });
const agent = new RealAgent(folder);
const cli = (...args: string[]) => folder.caisson(args);
/** A name that API clients may give. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is for a shell
const HOSTILE = '$(touch${IFS}pwned)';
const RUNNING = ['web', 'worker', HOSTILE];

beforeAll(async () => {
  await agent.start();
  for (const id of RUNNING) await cli('launch', '--name', id, '--', 'sleep', '1000');
  await cli('launch', '--name', 'old', '--', 'true');
  await cli('wait', 'old');
  for (const shell of ['bash', 'zsh', 'fish'])
    writeFileSync(join(folder.path, `completion.${shell}`), (await cli('completion', shell)).stdout);
});
afterAll(async () => {
  await cli('rm', '--force', ...RUNNING, 'old');
  await agent.stop();
  folder.remove();
});

const run = (file: string, args: string[]) =>
  spawnSync(file, args, { cwd: folder.path, env: folder.environment, encoding: 'utf8' });

const CAISSON = `caisson() { ${process.execPath} ${caissonFile} "$@"; }`;

/** What bash completes the last of these words to; it splits a word at `=`. */
function bash(...words: string[]): string[] {
  const script = `${CAISSON}
    source ./completion.bash
    compopt() { :; } # only while the shell reads a line
    [[ $(complete -p caisson) == 'complete -F _caisson caisson' ]] || exit 1
    COMP_WORDS=(caisson "$@") COMP_CWORD=$#
    _caisson
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = run('bash', ['-c', script, 'bash', ...words]);
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.split('\n').filter(Boolean);
}

needs(describe, { programs: ['bash'] })('bash', () => {
  it('commands: all that the help lists', async () => {
    const { stdout } = await cli('--help');
    const listed = [...stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([a-z]+) /gm)].map(
      ([, name]) => name,
    );
    expect(listed.length).toBeGreaterThan(15);
    expect(bash('')).toEqual(listed);
    expect(bash('att')).toEqual(['attach']);
    expect(bash('config', '')).toEqual(['print', 'check', 'schema']);
    expect(bash('completion', 'f')).toEqual(['fish']);
  });

  it('flags: all that the help of a command lists', async () => {
    for (const command of [['exec'], ['run'], ['config', 'print']]) {
      const { stdout } = await cli(...command, '--help');
      const listed = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, name]) => name);
      expect(bash(...command, '--').sort()).toEqual(listed.sort());
    }
    expect(bash('exec', '--term')).toEqual(['--terminal']);
    expect(bash('attach', 'web', '--no')).toEqual(['--no-stdin']);
    expect(bash('exec', 'web', '--no')).toEqual([]); // of the command
    expect(bash('--v')).toEqual(['--version']);
  });

  it.each<[string[], string[]]>([
    [
      ['attach', ''],
      ['web', 'worker', '\\$\\(touch\\$\\{IFS\\}pwned\\)'],
    ],
    [['exec', '-t', 'we'], ['web']],
    [['rm', 'o'], ['old']],
    [['stop', 'o'], []],
    [['stop', 'web', 'wo'], ['worker']],
    [['attach', 'web', 'wo'], []],
    [['exec', '--env', 'A', '=', 'b', 'we'], ['web']],
    [['stop', '--signal', '=', 'TERM', 'we'], ['web']],
    [['stop', '--signal', 'we'], []],
    [['exec', 'web', '--', 'wo'], []],
  ])('containers: %j', (words, expected) => {
    expect(bash(...words)).toEqual(expected);
  });

  it('a name of a container is never executed', () => {
    expect(bash('rm', '')).toHaveLength(4);
    const [completed = ''] = bash('rm', '$');
    const { stdout } = run('bash', ['-c', `printf %s ${completed}`]);
    expect(stdout).toBe(HOSTILE);
    expect(existsSync(join(folder.path, 'pwned'))).toBe(false);
  });

  it('values: directories, files, and programs to run', () => {
    expect(bash('run', '--rootfs', '/us')).toEqual(['/usr']);
    expect(bash('ps', '--config', 'caisson.conf')).toEqual(['caisson.config.json']);
    expect(bash('run', '--init', 'bas')).toContain('bash');
  });
});

/** A shell that somebody sits at. */
function interactive(command: string): Running {
  const env = { ...folder.environment, TERM: 'vt220', PS1: '> ', SHELL: '/bin/sh' };
  const args = ['--quiet', '--return', '--command', `stty cols 200; ${command}`, '/dev/null'];
  return new Running(spawn('script', args, { cwd: folder.path, env }));
}

const SHELLS = [
  { shell: 'bash', command: 'bash --norc --noprofile -i', source: 'source ./completion.bash' },
  {
    shell: 'zsh',
    command: 'zsh -f -i',
    source: 'autoload -Uz compinit; compinit -D -u; source ./completion.zsh',
  },
] as const;

for (const { shell, command, source } of SHELLS)
  needs(describe, { programs: [shell, 'script'] })(`${shell}, interactive`, () => {
    it('completes what is typed before the tabulator', async () => {
      const user = interactive(command);
      user.child.stdin!.write(`${CAISSON}; ${source}; echo rea''dy\n`);
      await user.says(/[\r\n]ready/);
      user.child.stdin!.write('caisson att\twor\t--no-std\t');
      await user.says(/caisson attach[^\n]* worker[^\n]* --no-stdin/); // zsh changes colours in between
      user.child.stdin!.write('\x15exit\n');
      await user.ended;
    });
  });

needs(describe, { programs: ['fish'] })('fish', () => {
  it.each([
    ['att', ['attach']],
    ['attach wo', ['worker']],
    ['exec --term', ['--terminal']],
    ['rm o', ['old']],
    ['stop ol', []],
    ['config pr', ['print']],
  ])('caisson %s', (typed, expected) => {
    const script = `function caisson; ${process.execPath} ${caissonFile} $argv; end; source ./completion.fish; complete -C "caisson ${typed}"`;
    const { stdout, stderr } = run('fish', ['--no-config', '-c', script]);
    expect(stderr).toBe('');
    expect(
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('\t')[0]),
    ).toEqual(expected);
  });
});
