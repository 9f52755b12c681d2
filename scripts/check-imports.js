/**
 * Who may import whom (docs/architecture.md): `plugin-sdk` and `linux` none of ours; `core` the SDK; a plugin the SDK and
 * linux; `agent` core and the SDK. Nothing imports a plugin: they are loaded by name at run time. Core never imports
 * linux, since it runs on macOS. Part of `npm run lint`; reads the sources and each package.json and tsconfig.json.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, normalize } from 'node:path';
import { listPackages, ROOT } from './packages.js';

const SDK = '@caisson/plugin-sdk';
const LINUX = '@caisson/linux';
const CORE = '@caisson/core';

/** What each kind of package may import of ours. A fixture of test/ is a plugin as a third party would write it. */
const MAY_IMPORT = {
  'plugin-sdk': [],
  linux: [],
  core: [SDK],
  plugin: [SDK, LINUX],
  agent: [CORE, SDK],
  test: [SDK, LINUX, CORE, '@caisson/agent'],
};

/** Tests may use these everywhere; they never reach a user. */
const FOR_TESTS = [`${LINUX}/testing`, `${SDK}/testing`];

/** Third-party modules that exist once for all packages, and who brings them. */
const BROUGHT_BY = {
  inversify: SDK,
  'reflect-metadata': SDK,
  tapable: SDK,
  zod: SDK,
  koffi: LINUX,
};

const kindOf = (folder) => (/^(plugins|test\/fixtures)\//.test(folder) ? 'plugin' : folder);
/** A folder testing/ that is not packed is what the package's own tests share. */
const isTest = ({ folder, manifest }, file) =>
  folder === 'test' ||
  /\.test\.[jt]s$/.test(file) ||
  (file.startsWith('src/testing/') && manifest.files?.includes('!dist/testing'));
const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

const STATEMENTS = [
  /^(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"${}\s]+)['"]/gm,
  /^import\s*['"]([^'"${}\s]+)['"]/gm,
  /\bimport\(\s*['"]([^'"${}\s]+)['"]/g,
  /\brequire(?:\.resolve)?\(\s*['"]([^'"${}\s]+)['"]/g,
];

/** Blanks comments out, keeping lines, so that an example in a docstring is no import. */
const withoutComments = (text) =>
  text.replace(/^\s*(\/\*[\s\S]*?\*\/|\/\/.*)/gm, (comment) => comment.replace(/[^\n]/g, ' '));

/** The imports of a source text, static, dynamic and of types: specifier and line. */
export function importsOf(source) {
  const text = withoutComments(source);
  return STATEMENTS.flatMap((pattern) => [...text.matchAll(pattern)]).map((match) => ({
    specifier: match[1],
    line: text.slice(0, match.index + match[0].length).split('\n').length,
  }));
}

function sourcesOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((path) => /\.[cm]?[jt]s$/.test(path) && !path.includes('node_modules'))
    .map((path) => `src/${path}`);
}

/** Why a package may not import one of ours, or undefined. */
function problemBetween(pkg, target, specifier, inTest, plugins) {
  if (target === pkg.manifest.name) return undefined;
  if (plugins.has(target))
    return ['nothing imports a plugin', 'load it by its name through the configuration'];
  if (inTest && FOR_TESTS.includes(specifier)) return undefined;
  const kind = kindOf(pkg.folder);
  const allowed = MAY_IMPORT[kind] ?? [];
  if (kind === 'core' && target === LINUX)
    return [
      'core never imports linux: it runs on macOS',
      'move what needs the kernel into a launcher or isolator',
    ];
  if (!allowed.includes(target))
    return [
      `a package of the kind "${kind}" may import ${allowed.join(', ') || 'none of ours'}`,
      'move the code, or what it needs, to a package that may',
    ];
  if (specifier.endsWith('/testing') && !inTest)
    return [
      'a testing kit is for tests',
      'import it from a .test.ts file, or from a folder testing/ that is not packed',
    ];
  return undefined;
}

function problemOf(pkg, file, specifier, context) {
  const inTest = isTest(pkg, file);
  if (specifier.startsWith('.')) {
    const target = normalize(join(file, '..', specifier));
    if (target.startsWith('src/')) return undefined;
    return ['a relative import stays below src/', 'import the other package by its name'];
  }
  if (specifier.startsWith('node:')) return undefined;
  if (builtinModules.includes(specifier))
    return ['modules of Node are imported as node:', `write "node:${specifier}"`];
  const target = packageOf(specifier);
  if (context.ours.has(target)) {
    return (
      problemBetween(pkg, target, specifier, inTest, context.plugins) ??
      undeclared(pkg, target, inTest, context) ??
      unreferenced(pkg, target, context)
    );
  }
  const owner = BROUGHT_BY[target];
  if (owner && owner !== pkg.manifest.name)
    return [`${target} exists once, in ${owner}`, `import what you need of it from "${owner}"`];
  return undeclared(pkg, target, inTest, context);
}

function undeclared({ folder, manifest }, target, inTest, { rootManifest }) {
  if (target === manifest.name) return undefined;
  const { dependencies, peerDependencies, devDependencies } = manifest;
  const declared = { ...dependencies, ...peerDependencies };
  if (inTest) Object.assign(declared, devDependencies, rootManifest.devDependencies);
  if (target in declared) return undefined;
  return [
    'what is imported is declared',
    `add "${target}" to ${inTest ? 'devDependencies' : 'dependencies'} of ${folder}/package.json`,
  ];
}

/** Without the reference `tsc -b` may build in the wrong order, which only a fresh clone shows. */
function unreferenced({ folder, manifest }, target, { root, folders }) {
  const file = join(root, folder, 'tsconfig.json');
  if (target === manifest.name || !existsSync(file)) return undefined;
  const { references = [] } = JSON.parse(readFileSync(file, 'utf8'));
  if (references.some(({ path }) => normalize(join(folder, path)) === folders.get(target))) return undefined;
  return [
    'an imported package of ours is a reference of tsconfig.json',
    `add ${folders.get(target)} to the references of ${folder}/tsconfig.json`,
  ];
}

/** What a package.json declares follows the same rules. */
function manifestProblems(pkg, { ours, plugins }) {
  const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = pkg.manifest;
  const problems = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })
    .filter((name) => ours.has(name))
    .map((name) => ({ name, problem: problemBetween(pkg, name, name, false, plugins) }));
  if (kindOf(pkg.folder) === 'plugin' && SDK in dependencies)
    problems.push({
      name: SDK,
      problem: ['the SDK is a peer of a plugin, so that all share one', 'move it to peerDependencies'],
    });
  return problems.filter(({ problem }) => problem);
}

/** Every violation below `root`, as `file:line: imports "x": rule; what to do`. */
export function checkImports(root = ROOT) {
  const packages = listPackages(root);
  const context = {
    root,
    ours: new Set(packages.map(({ manifest }) => manifest.name)),
    plugins: new Set(
      packages.filter(({ folder }) => kindOf(folder) === 'plugin').map((p) => p.manifest.name),
    ),
    folders: new Map(packages.map(({ folder, manifest }) => [manifest.name, folder])),
    rootManifest: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')),
  };
  const violations = [];
  for (const pkg of packages) {
    for (const { name, problem } of manifestProblems(pkg, context))
      violations.push(`${pkg.folder}/package.json: depends on "${name}": ${problem.join('; ')}`);
    for (const file of sourcesOf(join(root, pkg.folder, 'src')))
      for (const { specifier, line } of importsOf(readFileSync(join(root, pkg.folder, file), 'utf8'))) {
        const problem = problemOf(pkg, file, specifier, context);
        if (problem)
          violations.push(`${pkg.folder}/${file}:${line}: imports "${specifier}": ${problem.join('; ')}`);
      }
  }
  return violations;
}

if (process.argv[1] === import.meta.filename) {
  const violations = checkImports();
  for (const violation of violations) console.error(violation);
  console.log(
    `imports: ${violations.length === 0 ? 'all follow the rules' : `${violations.length} violations`}`,
  );
  if (violations.length > 0) process.exitCode = 1;
}
