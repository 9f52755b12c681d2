/**
 * Removes from dist/ what has no source any more. `tsc -b` never does, so tests of removed sources would go on running
 * and removed files would be packed. Part of the build: 20 ms.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listPackages, ROOT } from './packages.js';

const OUTPUT = /\.(js|js\.map|d\.ts|d\.ts\.map)$/;

/** Outputs below `dist` whose source below `src` is gone. */
export function staleOutputs(packageFolder) {
  const dist = join(packageFolder, 'dist');
  if (!existsSync(dist)) return [];
  return readdirSync(dist, { recursive: true })
    .filter((path) => OUTPUT.test(path))
    .filter((path) => !existsSync(join(packageFolder, 'src', path.replace(OUTPUT, '.ts'))))
    .map((path) => join(dist, path));
}

/** Folders of plugins that are gone from the repository but were built here once. */
function leftPlugins(root) {
  const known = new Set(listPackages(root).map(({ folder }) => folder));
  return readdirSync(join(root, 'plugins'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !known.has(`plugins/${entry.name}`))
    .flatMap(({ name }) => ['dist', 'bundle'].map((built) => join(root, 'plugins', name, built)));
}

export function removeStale(root = ROOT) {
  const stale = listPackages(root).flatMap(({ folder }) => staleOutputs(join(root, folder)));
  for (const path of [...stale, ...leftPlugins(root)]) rmSync(path, { recursive: true, force: true });
}

if (process.argv[1] === import.meta.filename) removeStale();
