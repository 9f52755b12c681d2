import { spawn } from 'node:child_process';
import type { Folder } from './caisson.js';
import { Running } from './running.js';

export const CONTROL_C = '\x03';
export const CONTROL_Z = '\x1a';

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A command as a user types it into a shell. */
export const typed = (...words: string[]): string => words.map(quoted).join(' ');

/** A terminal of 33 rows and 101 columns, which script(1) plays, and a shell in it that runs this script. */
export function atTerminal(folder: Folder, script: string): Running {
  const args = ['--quiet', '--return', '--command', `stty rows 33 cols 101; ${script}`, '/dev/null'];
  const env = { ...folder.environment, SHELL: '/bin/sh', TERM: 'vt220' };
  return new Running(spawn('script', args, { cwd: folder.path, env }));
}

export const type = (user: Running, text: string) => user.child.stdin?.write(text);
