/**
 * Caisson against bwrap, crun and runc in one run: `npm run bench`, as root. Every figure is a ratio or comes with the
 * peer's; peers that are not installed are left out aloud.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentBenchmark } from './agent.js';
import { library } from './library.js';
import { installedPeers } from './peers.js';
import { buildRootfs } from './rootfs.js';
import { interleaved, median, percentile } from './statistics.js';
import { wholeProcesses } from './whole-processes.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 200);
const GOALS = { bwrap: 0.45, crun: 0.2, runc: 0.08 };
const LAUNCHES = 1000;

/**
 * In a mount namespace of its own: crun 1.8 refuses a host with both cgroup hierarchies, so the unified one is
 * unmounted, for every contender alike.
 */
function enterMountNamespace() {
  if (process.argv.includes('--inside')) return;
  const script = 'mountpoint -q /sys/fs/cgroup/unified && umount /sys/fs/cgroup/unified; exec "$@"';
  const self = [process.execPath, fileURLToPath(import.meta.url), '--inside'];
  const { status } = spawnSync('unshare', ['--mount', 'sh', '-c', script, 'sh', ...self], {
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}

/** Against each peer in turns, A B A B: a machine that slows down slows both. */
async function latency(caisson, peers) {
  console.log(
    `\n\`true\` in a container, from the call until its exit is known and cleaned up (ms, ${ROUNDS} rounds)\n`,
  );
  console.log('        caisson                  peer                     caisson / peer');
  console.log('            p50     p90     p99      p50     p90     p99     p50   goal');
  for (const peer of peers) {
    const samples = await interleaved([caisson, peer], ROUNDS);
    const [own, other] = [samples.get(caisson.name), samples.get(peer.name)];
    const figures = [own, other].map((times) =>
      [0.5, 0.9, 0.99].map((share) => percentile(times, share).toFixed(2).padStart(7)).join(' '),
    );
    const ratio = (median(own) / median(other)).toFixed(3);
    console.log(`${peer.name.padEnd(7)} ${figures.join('  ')}   ${ratio}   ${GOALS[peer.name]}`);
  }
}

async function throughput(launch) {
  console.log(`\nlaunches per second (${LAUNCHES} launches)\n`);
  for (const width of [1, 32]) {
    const start = performance.now();
    let left = LAUNCHES;
    const worker = async () => {
      while (left-- > 0) await launch();
    };
    await Promise.all(Array.from({ length: width }, worker));
    const rate = (LAUNCHES / (performance.now() - start)) * 1000;
    console.log(
      `${width === 1 ? 'one after another' : `${width} in parallel`}`.padEnd(20),
      rate.toFixed(0).padStart(6),
    );
  }
}

if (process.getuid?.() !== 0) {
  console.error('the benchmark launches containers: run it as root');
  process.exit(1);
}
enterMountNamespace();
const directory = mkdtempSync(join(tmpdir(), 'caisson-bench-'));
// Everybody's root filesystem and state are on a tmpfs, as state is on a host's /run: a disk's moods are not the subject.
execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', directory]);
try {
  const cpu = /model name\s*: (.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  console.log(`${cpu}, ${availableParallelism()} processors, node ${process.version}`);
  const rootfs = buildRootfs(directory);
  const caisson = await library(rootfs, directory);
  await latency(caisson, installedPeers(rootfs, directory));
  await throughput(caisson.launch);
  await caisson.close();
  await wholeProcesses();
  await agentBenchmark(directory, rootfs);
} finally {
  execFileSync('umount', ['--lazy', directory]);
  rmSync(directory, { recursive: true });
}
