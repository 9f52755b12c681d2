/**
 * A folder with Debian packages unpacked in it, and all that they depend on: as debootstrap's first half, without its
 * second. No package script runs, nothing is installed on the host, and root is not needed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Nobody reads these in a guest; they are a third of what is unpacked. */
const LEFT_OUT = ['./usr/share/doc', './usr/share/man', './usr/share/locale', './usr/share/info'];

/** Since Debian 12 /bin and others are links to /usr; base-files' script makes them, not its archive. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];

/**
 * The root of such a folder, made at first use and kept; `finish` are functions that do what the packages' scripts would.
 * Other packages or functions get another folder, and it appears when it is whole: runs of several checkouts share the cache.
 */
export function unpackedPackages(cache, name, packages, finish = []) {
  const folder = join(cache, `${name}-${digest(packages.join(' '), ...finish.map(String))}`);
  const root = join(folder, 'root');
  if (existsSync(folder)) return root;
  console.log(`fetching Debian packages: ${packages.join(' ')}`);
  const unfinished = mkdtempSync(`${folder}.`);
  unpack(download(unfinished, packages), join(unfinished, 'root'));
  for (const step of finish) step(join(unfinished, 'root'));
  renameSync(unfinished, folder);
  return root;
}

const digest = (...texts) => createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 8);

/** The archives, in a folder. apt-get is told of a system that has no package yet, so everything needed is among them. */
function download(folder, packages) {
  const archives = join(folder, 'archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  const nothingInstalled = join(folder, 'status');
  writeFileSync(nothingInstalled, '');
  const options = {
    'Dir::State::status': nothingInstalled,
    'Dir::Cache::archives': archives,
    'Dir::Cache::pkgcache': '',
    'Dir::Cache::srcpkgcache': '',
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '',
    'Acquire::Retries': '3',
  };
  const settings = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const install = ['--yes', '--no-install-recommends', '--download-only', 'install', ...packages];
  const { status } = spawnSync('apt-get', ['-qq', ...settings, ...install], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error('apt-get could not fetch them: are its lists old (apt-get update)?');
  return archives;
}

function unpack(archives, root) {
  for (const directory of MERGED) {
    mkdirSync(join(root, 'usr', directory), { recursive: true });
    symlinkSync(`usr/${directory}`, join(root, directory));
  }
  const script = 'dpkg-deb --fsys-tarfile "$0" | tar -x --keep-directory-symlink --no-same-owner "$@"';
  const options = ['-C', root, ...LEFT_OUT.map((path) => `--exclude=${path}`)];
  for (const file of readdirSync(archives).filter((file) => file.endsWith('.deb'))) {
    execFileSync('bash', ['-o', 'pipefail', '-c', script, join(archives, file), ...options]);
  }
  rmSync(archives, { recursive: true });
}
