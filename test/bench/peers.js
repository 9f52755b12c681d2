import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The other runtimes, as Debian packages them, each told to do the same: `true` in a new mount and pid namespace with a
 * root filesystem and /proc.
 */
export function installedPeers(rootfs, directory) {
  return [bwrap(rootfs), ociRuntime('crun', rootfs, directory), ociRuntime('runc', rootfs, directory)].filter(
    ({ name }) =>
      isInstalled(name) ||
      console.log(`skipped: ${name} is not installed (apt-get install ${packageOf(name)})`),
  );
}

const isInstalled = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const packageOf = (program) => (program === 'bwrap' ? 'bubblewrap' : program);

function bwrap(rootfs) {
  const argv = ['--bind', rootfs, '/', '--proc', '/proc', '--unshare-pid', '/bin/true'];
  return { name: 'bwrap', launch: () => timed('bwrap', argv) };
}

function ociRuntime(name, rootfs, directory) {
  const bundle = join(directory, name);
  mkdirSync(bundle, { recursive: true });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(ociConfig(rootfs)));
  const root = join(directory, `${name}-state`);
  let count = 0;
  return {
    name,
    launch: () => timed(name, ['--root', root, 'run', '--bundle', bundle, `bench-${process.pid}-${count++}`]),
  };
}

const ociConfig = (rootfs) => ({
  ociVersion: '1.0.2',
  process: {
    args: ['/bin/true'],
    cwd: '/',
    env: ['PATH=/bin'],
    user: { uid: 0, gid: 0 },
    noNewPrivileges: true,
  },
  root: { path: rootfs },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
});

/** Milliseconds from the call until the exit is known. Any other status than 0 is the end of the benchmark. */
export function timed(program, argv) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      const elapsed = performance.now() - start;
      if (code === 0) resolve(elapsed);
      else
        child.stderr.on('close', () =>
          reject(new Error(`${program} ended with ${signal ?? code}: ${errors}`)),
        );
    });
  });
}

export const version = (program) => execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0];
