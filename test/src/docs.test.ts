/** The programs of docs/ and the files of examples/: taken out as a reader would copy them, and run. */

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Folder, repository } from './caisson.js';
import { Running } from './running.js';

/** Blocks whose fence names a file: ```ts file=src/index.ts */
function filesOf(page: string): Map<string, string> {
  const text = readFileSync(join(repository, 'docs', page), 'utf8');
  const blocks = text.matchAll(/^```\w+ file=(\S+)\n([\s\S]*?)^```$/gm);
  return new Map([...blocks].map(([, name = '', content = '']) => [name, content]));
}

function writeFiles(directory: string, files: Map<string, string>): void {
  for (const [name, content] of files) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
}

/** A folder outside of the repository in which our packages, and what they need, are installed. */
function installedFolder(): Folder {
  const folder = new Folder();
  symlinkSync(join(repository, 'node_modules'), join(folder.path, 'node_modules'));
  return folder;
}

const node = (folder: Folder, ...args: string[]) =>
  new Running(spawn(process.execPath, args, { cwd: folder.path, stdio: ['ignore', 'pipe', 'pipe'] })).ended;

describe('docs/library.md', () => {
  const folder = installedFolder();
  afterAll(() => folder.remove());

  it('is a program of about ten lines that launches, waits and says how it ended', async () => {
    const files = filesOf('library.md');
    writeFiles(folder.path, files);
    expect(files.get('launch.mjs')?.trimEnd().split('\n').length).toBeLessThanOrEqual(12);
    expect(await node(folder, 'launch.mjs')).toMatchObject({
      stdout: 'I am Ann\nit ended with 3\n',
      stderr: '',
      status: 0,
    });
  });
});

describe('docs/writing-an-isolator.md', () => {
  const isolator = installedFolder();
  const user = new Folder();
  afterAll(() => {
    isolator.remove();
    user.remove();
  });

  beforeAll(async () => {
    const files = filesOf('writing-an-isolator.md');
    const configuration = files.get('caisson.config.yaml') ?? '';
    files.delete('caisson.config.yaml');
    writeFiles(isolator.path, files);
    const tsc = join(repository, 'node_modules/typescript/bin/tsc');
    expect(await node(isolator, tsc)).toMatchObject({ stdout: '', status: 0 });
    user.configureAs('caisson.config.yaml', configuration);
    mkdirSync(join(user.path, 'node_modules'));
    symlinkSync(isolator.path, join(user.path, 'node_modules/acme-caisson-nice'));
  });

  it('is an isolator that acts before the first instruction of the command', async () => {
    expect(await user.caisson(['run', '--quiet', '--', 'nice'])).toMatchObject({ stdout: '15\n', status: 0 });
  });

  it('is listed with what it taps, and its option in the schema', async () => {
    const plugins = await user.caisson(['plugins', '--json']);
    expect(JSON.parse(plugins.stdout)).toContainEqual(
      expect.objectContaining({
        name: 'acme/nice',
        package: 'acme-caisson-nice',
        hooks: ['isolate', 'status'],
        usable: true,
      }),
    );
    expect((await user.caisson(['config', 'schema'])).stdout).toContain(
      '0 is the usual share of the processor',
    );
  });
});

describe('examples/', () => {
  const folder = new Folder();
  afterAll(() => folder.remove());

  it.each(readdirSync(join(repository, 'examples')).filter((name) => name.includes('.config.')))(
    '%s is right',
    async (name) => {
      const file = join(repository, 'examples', name);
      expect(await folder.caisson(['config', 'check', '--config', file])).toMatchObject({
        stderr: '',
        status: 0,
      });
    },
  );
});
