/**
 * What a bundle x.js holds: it runs the code beside it, x-<hash>.js, with what V8 made of that when it was built.
 * precompiled.js, in the repository of Caisson, puts in which code it is, and what that exports.
 */
'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const path = `${__dirname}/__CODE__`;
const filename = `${path}.js`;

function precompiled() {
  let cachedData;
  try {
    // Of this Node on this kind of system: the bytecode of another one may be taken, and crash.
    cachedData = readFileSync(`${path}.${process.version}-${process.platform}-${process.arch}.cache`);
  } catch {
    // V8 compiles the code.
  }
  return new Script(readFileSync(filename, 'latin1'), { filename, cachedData }).runInThisContext();
}

// A script has no source map in stack traces; nor does it run in the context of a test environment such as Jest's.
const isOrdinary = process.sourceMapsEnabled || new Script('globalThis').runInThisContext() !== globalThis;
const code = isOrdinary ? require(filename) : precompiled();

/** Modules of Node that a start does not need as a rule: 7 ms. They are loaded when something of them is used. */
const LATE = ['child_process', 'crypto', 'fs/promises', 'inspector', 'readline', 'tty'];
const later = (id) =>
  new Proxy(
    {},
    {
      get: (_, name) => (name === '__esModule' ? undefined : require(id)[name]),
      ownKeys: () => Reflect.ownKeys(require(id)),
    },
  );
const load = (id) => (LATE.includes(id.replace('node:', '')) ? later(id) : require(id));

code(exports, load, module, filename, __dirname, (specifier) => import(specifier));
