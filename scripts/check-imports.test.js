import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { checkImports, importsOf } from './check-imports.js';

const manifest = (name, more = {}) => JSON.stringify({ name: `@caisson/${name}`, ...more });
const tsconfig = (...paths) => JSON.stringify({ references: paths.map((path) => ({ path })) });
const SDK = { '@caisson/plugin-sdk': '^1.0.0' };

let root;
const write = (path, text) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'caisson-imports-'));
  const workspaces = ['plugin-sdk', 'linux', 'core', 'agent', 'plugins/*', 'test'];
  write('package.json', JSON.stringify({ workspaces, devDependencies: { 'fast-check': '4' } }));
  write('plugin-sdk/package.json', manifest('plugin-sdk', { dependencies: { zod: '4' } }));
  write('linux/package.json', manifest('linux', { dependencies: { koffi: '3' } }));
  write('core/package.json', manifest('core', { dependencies: SDK }));
  write('core/tsconfig.json', tsconfig('../plugin-sdk'));
  write('agent/package.json', manifest('agent', { dependencies: { ...SDK, '@caisson/core': '^1.0.0' } }));
  write('plugins/a/package.json', manifest('a', { peerDependencies: SDK }));
  write(
    'plugins/b/package.json',
    manifest('b', { peerDependencies: SDK, devDependencies: { '@caisson/linux': '1' } }),
  );
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the import rules', () => {
  test('hold in this repository', () => {
    expect(checkImports()).toEqual([]);
  });

  test('allow what the design allows', () => {
    write(
      'core/src/index.ts',
      "import { z } from '@caisson/plugin-sdk';\nexport * from './other.js';\nimport 'node:fs';",
    );
    write(
      'plugins/b/src/x.test.ts',
      "import { withCensus } from '@caisson/linux/testing';\nimport fc from 'fast-check';",
    );
    write('plugin-sdk/src/index.ts', "export { z } from 'zod';");
    expect(checkImports(root)).toEqual([]);
  });

  test.each([
    ['core/src/x.ts', "import { mount } from '@caisson/linux/syscalls';", 'core never imports linux'],
    ['core/src/x.ts', "export const load = () => import('@caisson/a');", 'nothing imports a plugin'],
    ['core/src/x.ts', "import { thing } from '../../plugin-sdk/src/thing.js';", 'stays below src/'],
    [
      'core/src/x.ts',
      "import type {\n  Container,\n} from 'inversify';",
      'exists once, in @caisson/plugin-sdk',
    ],
    [
      'core/src/x.ts',
      "import fc from 'fast-check';",
      'add "fast-check" to dependencies of core/package.json',
    ],
    [
      'plugins/a/src/x.ts',
      "import { Containerizer } from '@caisson/core';",
      'may import @caisson/plugin-sdk, @caisson/linux',
    ],
    ['plugins/a/src/x.ts', "import b from '@caisson/b';", 'nothing imports a plugin'],
    ['plugins/a/src/x.ts', "import { bootId } from '@caisson/linux/proc';", 'what is imported is declared'],
    [
      'plugins/a/src/x.ts',
      "import { fake } from '@caisson/plugin-sdk/testing';",
      'a testing kit is for tests',
    ],
    ['plugins/a/src/x.ts', "import { join } from 'path';", 'write "node:path"'],
    ['plugin-sdk/src/x.ts', "import { bootId } from '@caisson/linux';", 'may import none of ours'],
    ['linux/src/x.ts', "import { z } from '@caisson/plugin-sdk';", 'may import none of ours'],
    [
      'agent/src/x.ts',
      "const x = require('@caisson/linux');",
      'may import @caisson/core, @caisson/plugin-sdk',
    ],
  ])('report %s: %s', (file, source, rule) => {
    write(file, `// a comment\n${source}\n`);
    const [violation, ...others] = checkImports(root);
    const line = 1 + source.split('\n').length;
    expect(others).toEqual([]);
    expect(violation).toMatch(new RegExp(`^${file}:${line}: imports "[^"]+": .*; .+`));
    expect(violation).toContain(rule);
  });

  test('ask for a tsconfig reference, which a fresh clone needs', () => {
    write('core/tsconfig.json', tsconfig());
    write('core/src/x.ts', "import { z } from '@caisson/plugin-sdk';");
    expect(checkImports(root)).toEqual([
      expect.stringContaining('add plugin-sdk to the references of core/tsconfig.json'),
    ]);
  });

  test('read package.json too', () => {
    write('plugins/a/package.json', manifest('a', { dependencies: { ...SDK, '@caisson/b': '1' } }));
    expect(checkImports(root)).toEqual([
      expect.stringContaining('plugins/a/package.json: depends on "@caisson/b": nothing imports a plugin'),
      expect.stringContaining('the SDK is a peer of a plugin'),
    ]);
  });
});

test('an example in a comment is no import', () => {
  const source = "/**\n * import { a } from 'a';\n */\n// import 'b';\nimport { c } from 'c';\n";
  expect(importsOf(source)).toEqual([{ specifier: 'c', line: 5 }]);
});
