/**
 * Makes the caches of all bundles: in a process of its own it loads them, does what a start does, and writes down what
 * V8 has compiled by then. Nothing depends on it but speed, so a failure is told and does not fail the build.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import vm from 'node:vm';
import { listPackages, ROOT } from './packages.js';
import { cacheOf, replaceFile } from './precompiled.js';

export function compileAhead() {
  const { status, stderr, error } = spawnSync(process.execPath, [import.meta.filename], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' }, // options of V8 make other code
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) console.log(`bundle: not compiled ahead, starts will be slower: ${error ?? stderr}`);
}

/** Every script that is made from now on. */
function recordScripts() {
  const scripts = [];
  const { Script } = vm;
  vm.Script = class extends Script {
    constructor(source, { filename } = {}) {
      super(source, { filename });
      if (filename) scripts.push({ filename, script: this });
    }
  };
  return scripts;
}

const require = createRequire(import.meta.url);

/** All that programs import; what does not load is told by its own tests. */
function loadBundles() {
  for (const { folder, manifest } of listPackages())
    for (const { default: file } of Object.values(manifest.exports ?? {}))
      try {
        if (file?.startsWith('./bundle/')) require(join(ROOT, folder, file));
      } catch {}
}

/** What `caisson run` does: once with the launcher that every host can run, once up to the system calls of the other. */
async function start() {
  const { main } = require(join(ROOT, 'agent/bundle/index.js'));
  const directory = mkdtempSync(join(tmpdir(), 'caisson-build-'));
  const flags = ['--work-dir', join(directory, 'work'), '--runtime-dir', join(directory, 'run')];
  try {
    const everywhere = ['--launcher', 'posix', '--isolation', 'filesystem/posix'];
    await main(['run', ...flags, ...everywhere, '--', 'true']);
    await main(['run', ...flags, '--syscalls', '--', 'true']);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  const scripts = recordScripts();
  loadBundles();
  await start();
  for (const { filename, script } of scripts) replaceFile(cacheOf(filename), script.createCachedData());
}
