/**
 * Builds what users run: bundle/ of each package, one file per entry of its package.json `exports`.
 *
 * tsc's dist/ is what tests run (condition `failpoints`); bundle/ (condition `default`) starts three times as fast,
 * since Node opens a handful of files instead of four hundred, and V8 finds them compiled (precompiled.js). Packages of
 * ours and koffi stay external, so that two plugins share one SDK; everything else is bundled.
 *
 * bundle/ is CommonJS, as its package.json says: Node loads that without waiting. Modules of both kinds import it by
 * the same names.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { build } from 'esbuild';
import { compileAhead } from './compile-ahead.js';
import { listPackages, ROOT } from './packages.js';
import { replaceFile, writePrecompiled } from './precompiled.js';

/** In bundles, failpoints are compiled out. */
const NO_FAILPOINTS = 'plugin-sdk/src/failpoint/off.ts';
const SOURCE_OF = { 'plugin-sdk/src/failpoint/index.ts': NO_FAILPOINTS };
const withoutFailpoints = {
  name: 'without-failpoints',
  setup({ onResolve }) {
    onResolve({ filter: /^@caisson\/plugin-sdk\/failpoint$/ }, () => ({ path: join(ROOT, NO_FAILPOINTS) }));
  },
};

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

/** The testing kit of the SDK has the SDK's classes and zod from where everybody has them: its main entry. */
const throughMainEntry = {
  name: 'through-main-entry',
  setup({ onResolve }) {
    onResolve({ filter: /^(zod|\.\.\/.*)$/ }, ({ importer }) =>
      importer.startsWith(join(ROOT, 'plugin-sdk/src/testing/'))
        ? { path: '@caisson/plugin-sdk', external: true }
        : undefined,
    );
  },
};

/**
 * Its entries are one bundle, the main one: state such as koffi's types exists once. Bundles of ours import that one,
 * whatever entry their source names, since to find a file takes Node 0.4 ms.
 */
const MERGED = ['linux'];
const mergedEntries = {
  name: 'merged-entries',
  setup({ onResolve }) {
    onResolve({ filter: /^@caisson\/linux\// }, ({ path }) =>
      path.endsWith('/testing') ? undefined : { path: '@caisson/linux', external: true },
    );
  },
};

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  external: ['@caisson/*', 'koffi', 'node:*'],
  plugins: [englishOnly, withoutFailpoints, throughMainEntry, mergedEntries],
  define: { 'import.meta.url': '__here.url' },
  banner: {
    js: '"use strict";const __here={get url(){return require("node:url").pathToFileURL(__filename).href}};',
  },
  // Half as much to read at every start; names stay, and the source maps tell the rest.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  write: false,
};

/** `./dist/syscalls/index.js` is built from `src/syscalls/index.ts`. */
function sourceOf(folder, built) {
  const source = join(folder, built.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts'));
  return SOURCE_OF[source] ?? source;
}

/** Output name and source file. A command line is no export: `bin` leads to it. */
function entriesOf({ folder, manifest }) {
  const entries = Object.values(manifest.exports ?? {})
    .filter((entry) => entry.default?.startsWith('./bundle/'))
    .map((entry) => ({ name: basename(entry.default, '.js'), source: sourceOf(folder, entry.failpoints) }));
  if (entries.length > 0 && manifest.bin) entries.push({ name: 'cli', source: join(folder, 'src/cli.ts') });
  return entries;
}

/** Too small to be worth more than one file, or not for programs that have to start fast. */
const PLAIN = ['cli', 'failpoint', 'testing'];
function unitsOf(folder, entries) {
  const [plain, others] = [true, false].map((is) =>
    entries.filter(({ name }) => PLAIN.includes(name) === is),
  );
  return [
    ...plain.map((entry) => () => buildPlain(folder, entry)),
    ...(MERGED.includes(folder)
      ? [() => buildMerged(folder, others)]
      : others.map((entry) => () => buildPrecompiled(folder, entry.name, { entryPoints: [entry.source] }))),
  ];
}

/** Each of these builds a part of bundle/ and returns the names of its files. */
async function buildPlain(folder, { name, source }) {
  const { outputFiles } = await build({ ...OPTIONS, entryPoints: [source], outfile: outputOf(folder, name) });
  for (const { path, contents } of outputFiles) replaceFile(path, contents);
  return outputFiles.map(({ path }) => basename(path));
}

async function buildPrecompiled(folder, name, input) {
  const { outputFiles } = await build({ ...OPTIONS, ...input, outfile: outputOf(folder, name) });
  const [map, code] = outputFiles.map(({ text }) => text);
  return writePrecompiled(join(ROOT, folder, 'bundle'), name, { code, map, names: await namesOf(input) });
}

async function buildMerged(folder, entries) {
  const contents = entries.map(({ source }) => `export * from './${relative(folder, source)}';`).join('\n');
  const stdin = { contents, resolveDir: join(ROOT, folder), sourcefile: 'merged.ts', loader: 'ts' };
  const written = await buildPrecompiled(folder, 'index', { stdin });
  for (const { name, source } of entries.filter((entry) => entry.name !== 'index')) {
    const names = (await namesOf({ entryPoints: [source] })).join(', ');
    const file = `'use strict';\nconst { ${names} } = require('./index.js');\nmodule.exports = { ${names} };\n`;
    replaceFile(join(ROOT, outputOf(folder, name)), file);
    written.push(`${name}.js`);
  }
  return written;
}

const outputOf = (folder, name) => join(folder, 'bundle', `${name}.js`);

/** The names that an entry exports, `default` too. */
async function namesOf(input) {
  const { metafile } = await build({
    ...OPTIONS,
    ...input,
    format: 'esm',
    outfile: 'names.js',
    sourcemap: false,
  });
  return Object.values(metafile.outputs)[0].exports;
}

/** Files of an earlier build go only now: somebody may be starting from them. */
function removeStale(directory, written) {
  const keep = new Set(['package.json', ...written]);
  const ofCache = (name) => name.replace(/\.v.*\.cache$/, '.js');
  for (const name of readdirSync(directory))
    if (!keep.has(ofCache(name))) rmSync(join(directory, name), { recursive: true });
}

async function bundle(pkg) {
  const entries = entriesOf(pkg);
  const missing = entries.filter(({ source }) => !existsSync(join(ROOT, source)));
  for (const { source } of missing) console.log(`bundle: skipped, there is no ${source}`);
  const present = entries.filter((entry) => !missing.includes(entry));
  if (present.length === 0) return;
  const directory = join(ROOT, pkg.folder, 'bundle');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "type": "commonjs" }\n');
  const written = await Promise.all(unitsOf(pkg.folder, present).map((buildUnit) => buildUnit()));
  removeStale(directory, written.flat());
}

// Every package is tried, so that one build shows all that is wrong.
const results = await Promise.allSettled(listPackages().map(bundle));
// What esbuild finds, it has told.
for (const { reason } of results) if (reason && !reason.errors) console.error(String(reason));
if (results.some(({ status }) => status === 'rejected')) process.exitCode = 1;
else compileAhead();
