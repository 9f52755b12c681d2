/**
 * Bundles that V8 need not compile at each start. Node 20 keeps no compiled code of what it loads, and to compile 1 MB of
 * JavaScript takes a third of a start. So a bundle `x` is three files:
 *
 *     x.js                                    loads the code (loader.cjs); says what it exports
 *     x-<hash>.js, .js.map                    the code, as one function
 *     x-<hash>.v20.19.0-linux-x64.cache       what V8 made of it, with each function that a start calls
 *                                             (compile-ahead.js)
 *
 * A cache is for the Node that made it. Where another one runs, V8 compiles as usual, and nothing else is different. V8
 * compares little more than the code's length with its cache's, so the hash is what keeps one build's from another's.
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const LOADER = readFileSync(new URL('./loader.cjs', import.meta.url), 'utf8');
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname', 'Import'];

export const cacheOf = (codeFile) =>
  codeFile.replace(/js$/, `${process.version}-${process.platform}-${process.arch}.cache`);

/**
 * The code as a function: the value of a script, or what a module exports. A script has no `import()` of its own, so it
 * gets its loader's, by a name that is as long: the source map stays true.
 */
const asFunction = (code) =>
  `(typeof module==="object"?module:{}).exports=function(${PARAMETERS}){${withImport(code)}\n}`;
const withImport = (code) => code.replace(/(?<![.\w$])import(?=\()/g, 'Import').trimEnd();

/** Node reads from such a line what names a CommonJS module exports. */
const exportsLine = (names) =>
  `\n0 && (module.exports = { ${names.filter((name) => name !== 'default').join(', ')} });\n`;

/** Writes a bundle; returns the names of its files. */
export function writePrecompiled(directory, name, { code, map, names }) {
  const whole = asFunction(code);
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 8);
  const base = `${name}-${hash}`;
  const files = {
    [`${base}.js.map`]: map,
    [`${base}.js`]: whole.replace(/(?<=^\/\/# sourceMappingURL=).*$/m, `${base}.js.map`),
    [`${name}.js`]: LOADER.replace('__CODE__', base) + exportsLine(names),
  };
  for (const [file, content] of Object.entries(files)) replaceFile(join(directory, file), content);
  return Object.keys(files);
}

/** A file appears complete: somebody may be starting while this builds. */
export function replaceFile(path, content) {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}
