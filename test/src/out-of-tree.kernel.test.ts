/**
 * A third party's package: its isolator confines a container before the first instruction of its command, in this
 * repository and, with everything installed from tarballs, in a folder that knows nothing of it.
 */

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { needs, SLOWNESS, withCensus } from '@caisson/linux/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Folder, repository } from './caisson.js';
import { type Ended, Running } from './running.js';

const configuration = (options: object = {}) => ({
  isolation: ['filesystem/linux', 'namespaces/pid', 'acme/slow-cgroup'],
  plugins: ['acme-cgroup-tag'],
  options: { 'acme/slow-cgroup': options },
});

/** The command's own cgroup as it starts; it stays until the isolator has acted, awaited or not. */
const command = ['--name', 'tagged', '--', 'sh', '-c', 'cat /proc/self/cgroup; sleep 0.4'];

const npm = async (folder: string, ...args: string[]): Promise<Ended> => {
  const ended = await new Running(spawn('npm', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }))
    .ended;
  if (ended.status !== 0) throw new Error(`npm ${args.join(' ')}: ${ended.stdout}${ended.stderr}`);
  return ended;
};

needs(describe, { root: true })('the isolator acme/slow-cgroup', () => {
  describe('in this repository', () => {
    const folder = new Folder(configuration());
    folder.install('test/fixtures/acme-cgroup-tag');
    beforeAll(() => folder.caisson(['run', '--', 'true'])); // makes the directories that all containers share
    afterAll(() => folder.remove());
    withCensus({ directories: folder.directories, cgroups: /acme-/ });

    it('has its cgroup around the first instruction of the command', async () => {
      const { stdout, status } = await folder.caisson(['run', ...command]);
      expect({ stdout, status }).toEqual({ stdout: expect.stringMatching(/\/acme-tagged$/m), status: 0 });
    });

    it('and would not, if the gate did not wait for it', async () => {
      folder.configure(configuration({ awaited: false }));
      const { stdout } = await folder.caisson(['run', ...command]);
      expect(stdout).not.toMatch(/acme-tagged/);
    });
  });

  needs(describe, { programs: ['npm', 'npx'] })('installed from tarballs in an empty folder', () => {
    const tarballs = new Folder();
    const folder = new Folder();
    afterAll(() => {
      tarballs.remove();
      folder.remove();
    });

    beforeAll(async () => {
      const ours = ['plugin-sdk', 'linux', 'core', 'agent', ...plugins(), 'test/fixtures/acme-cgroup-tag'];
      const workspaces = ours.flatMap((name) => ['--workspace', name]);
      await npm(repository, 'pack', '--silent', '--pack-destination', tarballs.path, ...workspaces);
      const files = readdirSync(tarballs.path).filter((name) => name.endsWith('.tgz'));
      expect(files).toHaveLength(ours.length);
      const quickly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
      await npm(folder.path, 'install', ...quickly, ...files.map((name) => join(tarballs.path, name)));
      folder.configure(configuration());
    }, 240_000 * SLOWNESS);

    it('works with npx', async () => {
      const npx = new Running(
        spawn('npx', ['caisson', 'run', ...command], { cwd: folder.path, env: folder.environment }),
      );
      npx.child.stdin?.end();
      expect(await npx.ended).toMatchObject({ stdout: expect.stringMatching(/\/acme-tagged$/m), status: 0 });
    });

    it('is listed with its package and version', async () => {
      const npx = new Running(
        spawn('npx', ['caisson', 'plugins', '--json'], { cwd: folder.path, env: folder.environment }),
      );
      const { stdout } = await npx.ended;
      expect(JSON.parse(stdout)).toContainEqual(
        expect.objectContaining({
          name: 'acme/slow-cgroup',
          package: 'acme-cgroup-tag',
          version: '1.2.3',
          usable: true,
        }),
      );
    });
  });
});

const plugins = (): string[] =>
  readdirSync(join(repository, 'plugins'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `plugins/${name}`);
