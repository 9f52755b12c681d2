/**
 * Builds what users run: bundle/ of each package, one file per entry of its package.json `exports`.
 *
 * tsc's dist/ is what tests run (condition `failpoints`); bundle/ (condition `default`) starts three times as fast,
 * since Node opens a handful of files instead of four hundred. Packages of ours and koffi stay external, so that two
 * plugins share one SDK; everything else is bundled. The entries of one package share chunks: module state, such as
 * koffi's types, exists once.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { listPackages, ROOT } from './packages.js';

/** CommonJS dependencies call `require`, which an ES module does not have. */
const REQUIRE = "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);";

/** In bundles, failpoints are compiled out. */
const SOURCE_OF = { 'plugin-sdk/src/failpoint/index.ts': 'plugin-sdk/src/failpoint/off.ts' };

/** zod's `z` carries its messages in fifty languages: 350 KB and 7 ms of every start. English stays. */
const englishOnly = {
  name: 'english-only',
  setup({ onLoad }) {
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: "export { default as en } from './en.js';",
      resolveDir: dirname(path),
    }));
  },
};

/** `./dist/syscalls/index.js` is built from `src/syscalls/index.ts`. */
function sourceOf(folder, built) {
  const source = join(folder, built.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts'));
  return SOURCE_OF[source] ?? source;
}

/** Output name to source file. A command line is no export: `bin` leads to it. */
function entriesOf({ folder, manifest }) {
  const entries = Object.values(manifest.exports ?? {})
    .filter((entry) => entry.default?.startsWith('./bundle/'))
    .map((entry) => [basename(entry.default, '.js'), sourceOf(folder, entry.failpoints)]);
  if (entries.length > 0 && manifest.bin) entries.push(['cli', join(folder, 'src/cli.ts')]);
  return entries;
}

/** Files of an earlier build go only now: somebody may be starting from them. */
function removeStale(directory, metafile) {
  const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
  for (const name of readdirSync(directory))
    if (!written.has(name)) rmSync(join(directory, name), { recursive: true });
}

async function bundle(pkg) {
  const entries = entriesOf(pkg);
  const missing = entries.filter(([, source]) => !existsSync(join(ROOT, source)));
  for (const [, source] of missing) console.log(`bundle: skipped, there is no ${source}`);
  const present = entries.filter(([, source]) => existsSync(join(ROOT, source)));
  if (present.length === 0) return;
  const outdir = join(pkg.folder, 'bundle');
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: present.map(([name, source]) => ({ in: source, out: name })),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['@caisson/*', 'koffi', 'node:*'],
    plugins: [englishOnly],
    banner: { js: REQUIRE },
    chunkNames: 'chunk-[hash]',
    sourcemap: true,
    metafile: true,
    logLevel: 'warning',
  });
  removeStale(join(ROOT, outdir), metafile);
}

// Every package is tried, so that one build shows all that is wrong.
const results = await Promise.allSettled(listPackages().map(bundle));
if (results.some(({ status }) => status === 'rejected')) process.exitCode = 1;
