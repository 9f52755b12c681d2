/** Volumes that are mounted in sandboxes, as filesystem/linux does it on the host: what of a sandbox is its own, and what is not. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MS, mount, umount } from '@caisson/linux/syscalls';
import { needs, withCensus } from '@caisson/linux/testing';
import {
  type Container,
  holdSandbox,
  type PersistentVolume,
  persistentVolumePath,
} from '@caisson/plugin-sdk';
import { StartedIsolator, TestContainers } from '@caisson/plugin-sdk/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { SANDBOX } from './directories.js';
import type { DuMeter } from './du/du-meter.js';
import { duGauge } from './gauges.js';
import plugin from './index.js';
import { mountedBelow } from './mounted-volumes.js';

const MIB = 2 ** 20;
const rootTest: typeof test = needs(test, { root: true, programs: ['du'] });

const containers = new TestContainers({ plugin }, async () => {
  throw new Error('these containers have no process');
});
beforeAll(() => containers.open());
afterAll(() => containers.remove());

const mounted: string[] = [];
afterEach(async () => {
  await containers.endAll();
  for (const target of mounted.splice(0).reverse()) umount(target);
});
// After ours: the census is taken once everything has ended.
withCensus({ reapOrphans: true });

const start = () =>
  new StartedIsolator({
    plugin,
    options: { watchInterval: '10ms' },
    environment: { workDir: containers.host.workDir },
  });

const volumeAt = (containerPath: string, id = 'db'): PersistentVolume => ({
  disk: 64,
  persistence: { id },
  volume: { containerPath, mode: 'RW' },
});

/** On the host, with a file of so many MiB. */
function make(volume: PersistentVolume, megabytes: number): string {
  const path = persistentVolumePath(containers.host.workDir, volume);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'file'), Buffer.alloc(megabytes * MIB, 1));
  return path;
}

/** In kilobytes. */
const byHand = (directory: string): string =>
  spawnSync('du', ['-skx', '--', directory], { encoding: 'utf8' }).stdout;

function bind(source: string, target: string): void {
  mkdirSync(target, { recursive: true });
  mount({ source, target, flags: MS.MS_BIND });
  mounted.push(target);
}

let count = 0;
type Given = { id?: string; volumes?: PersistentVolume[] };

/** A container with a sandbox, which an isolator knows and watches. */
async function launch(isolator: StartedIsolator, { id = `c${++count}`, volumes = [] }: Given = {}) {
  const container = containers.container(isolator, { id, resources: { disk: 64, volumes } });
  await isolator.prepare(container);
  await containers.watch(isolator, container);
  return container;
}

/** What is measured first: usage waits for that. */
const used = async (isolator: StartedIsolator, of: Container): Promise<number | undefined> =>
  (await containers.usage(isolator, of)).disk_used_bytes;

describe('a volume that is mounted in a sandbox', () => {
  rootTest.each(['path1', '*', 'a[b]c', 'new\nline', '-x', 'deep/er'])(
    'is left out of its figure: %j',
    async (containerPath) => {
      const volume = volumeAt(containerPath);
      const isolator = start();
      const it = await launch(isolator, { volumes: [volume] });
      writeFileSync(join(it.sandbox, 'own'), Buffer.alloc(MIB, 1));
      bind(make(volume, 2), join(it.sandbox, containerPath));
      // The attack: the volume is on the same filesystem, and `-x` does not keep du out.
      expect(Number.parseInt(byHand(it.sandbox), 10)).toBeGreaterThan(3 * 1024);
      const own = await used(isolator, it);
      expect(own).toBeGreaterThan(MIB);
      expect(own).toBeLessThan(2 * MIB);
      const { disk_statistics } = await containers.usage(isolator, it);
      expect(disk_statistics?.[0]?.used_bytes).toBeGreaterThan(2 * MIB);
    },
  );

  rootTest('is left out of the figure of the container around, too', async () => {
    const volume = volumeAt('data');
    const isolator = start();
    const outer = await launch(isolator);
    const inner = await launch(isolator, { id: `${outer.id}.job`, volumes: [volume] });
    bind(make(volume, 2), join(inner.sandbox, 'data'));
    expect(await used(isolator, outer)).toBeLessThan(MIB);
    expect(await used(isolator, inner)).toBeLessThan(MIB);
  });

  rootTest('what a container puts in its place is its own', async () => {
    const volume = volumeAt('data');
    const isolator = start();
    const it = await launch(isolator, { volumes: [volume] });
    make(volume, 1);
    mkdirSync(join(it.sandbox, 'data'));
    writeFileSync(join(it.sandbox, 'data/file'), Buffer.alloc(2 * MIB, 1));
    expect(await used(isolator, it)).toBeGreaterThan(2 * MIB);
  });
});

describe('which volumes are mounted', () => {
  rootTest('is looked up through the directory, following no link', () => {
    const isolator = start();
    const it = containers.container(isolator, { id: 'links' });
    bind(make(volumeAt('x'), 1), join(containers.host.directory, 'elsewhere'));
    bind(make(volumeAt('x'), 1), join(it.sandbox, 'real'));
    symlinkSync(join(containers.host.directory, 'elsewhere'), join(it.sandbox, 'link'));
    symlinkSync('real', join(it.sandbox, 'other'));
    mkdirSync(join(it.sandbox, 'plain'));
    const held = holdSandbox(containers.host.workDir, it);
    const paths = ['real', 'link', 'other', 'plain', 'absent', '../links/real'];
    expect(mountedBelow(held, paths)).toEqual(['real']);
    held.close();
  });

  rootTest(
    'is looked at again afterwards: one that came meanwhile was counted, and the sandbox is walked anew',
    async () => {
      const held = holdSandbox(containers.host.workDir, containers.container(start(), { id: 'race' }));
      const directory = containers.host.container({ id: 'race' }).sandbox;
      const volume = make(volumeAt('late'), 1);
      const walks: (readonly string[])[] = [];
      const walkedBy = {
        async measure({ excludes }: { excludes: readonly string[] }) {
          walks.push(excludes);
          if (walks.length === 1) bind(volume, join(directory, 'late'));
          return { usedBytes: 1 };
        },
      };
      const gauge = duGauge(walkedBy as unknown as DuMeter, {
        countFiles: false,
        volumePaths: () => ['late'],
      });
      const measured = { key: SANDBOX, quotaMb: 1, hold: () => ({ ...held, close() {} }) };
      await gauge.read(measured, new AbortController().signal);
      expect(walks).toEqual([[], ['late']]);
      held.close();
    },
  );
});
