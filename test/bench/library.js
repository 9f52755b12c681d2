import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Containerizer, loadConfiguration } from '@caisson/core';

const WARM_UP = 2000;

/** Caisson as a library: filesystem/linux, namespaces/pid, checkpoints. */
export async function library(rootfs, directory) {
  const file = join(directory, 'caisson.config.json');
  const configuration = {
    launcher: 'linux',
    isolation: ['filesystem/linux', 'namespaces/pid'],
    runtimeDir: join(directory, 'run'),
    workDir: join(directory, 'work'),
  };
  writeFileSync(file, JSON.stringify(configuration));
  const containerizer = await Containerizer.create(await loadConfiguration({ file, environment: {} }));
  // As an agent is that has been at work for a while: V8 compiles well what has run some thousand times.
  for (let count = 0; count < WARM_UP; count++) await launchTrue(containerizer, rootfs);
  return {
    name: 'caisson',
    launch: () => launchTrue(containerizer, rootfs),
    close: () => containerizer.close(),
  };
}

/** stdin, stdout and stderr are ours, as the peers' are: no files are made for them. */
async function launchTrue(containerizer, rootfs) {
  const start = performance.now();
  const { id } = await containerizer.launch(undefined, { argv: ['/bin/true'], rootfs, stdio: 'inherit' });
  const { exitCode, message } = await containerizer.wait(id);
  await containerizer.remove(id);
  if (exitCode !== 0) throw new Error(`true ended with ${exitCode}: ${message}`);
  return performance.now() - start;
}
