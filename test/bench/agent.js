/**
 * The agent as a process, over its socket: part of `npm run bench`, or alone `node test/bench/agent.js`, as root.
 * BENCH_CONTAINERS says how many run (1000).
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { installedPeers, timed } from './peers.js';
import { buildRootfs } from './rootfs.js';
import { interleaved, median, percentile } from './statistics.js';

const CONTAINERS = Number(process.env.BENCH_CONTAINERS ?? 1000);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 100);
const STARTS = 20;
const QUERIES = 30;
const IDLE_MS = 10_000;
const SETTLED_MS = 12_000;
const AT_ONCE = 32;
const CLI = fileURLToPath(new URL('../../agent/bin/caisson.js', import.meta.url));
const GOALS = { launch: 0.5, start: 4, recovery: 2, idle: 1, memory: 60 };

const line = (what, figure, goal = '') =>
  console.log(`${what.padEnd(58)} ${String(figure).padStart(10)}   ${goal}`);

class BenchAgent {
  #connections = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(directory) {
    this.directory = directory;
    mkdirSync(directory);
    this.socketPath = join(directory, 'run/agent.sock');
    const configuration = {
      launcher: 'linux',
      isolation: ['filesystem/linux', 'namespaces/pid'],
      runtimeDir: join(directory, 'run'),
      workDir: join(directory, 'work'),
    };
    writeFileSync(join(directory, 'caisson.config.json'), JSON.stringify(configuration));
  }

  /** Resolves with the milliseconds until it has answered. */
  async start() {
    const start = performance.now();
    this.process = spawn(process.execPath, [CLI, 'agent', '--log-level', 'warn'], {
      cwd: this.directory,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    // 503 until its containers are recovered.
    while ((await this.get('/containers?framework_id=none').catch(() => 0)) !== 200) await sleep(1);
    return performance.now() - start;
  }

  stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    return this.ended;
  }

  get(path) {
    return this.#send('GET', path).then(({ status }) => status);
  }

  async call(type, id, input = {}) {
    const message = { type, [type.toLowerCase()]: { container_id: { value: id }, ...input } };
    const { status, text } = await this.#send('POST', '/api/v1', JSON.stringify(message));
    if (status !== 200) throw new Error(`${type} of ${id}: ${status} ${text}`);
    return text;
  }

  #send(method, path, body = '') {
    const { socketPath } = this;
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath, method, path, headers, agent: this.#connections }, (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () =>
          resolve({ status: response.statusCode, text: Buffer.concat(parts).toString() }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close() {
    this.#connections.destroy();
  }
}

/** Runs `work` for each number below `count`, so many at once. */
async function forEach(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Until the command is executed, against crun from its spawn to its end, in turns. */
async function latency(agent, rootfs, directory) {
  let count = 0;
  const config = { argv: ['/bin/true'], rootfs };
  const end = async (id) => {
    await agent.call('WAIT_CONTAINER', id);
    return async () => agent.call('REMOVE_CONTAINER', id);
  };
  const executed = async () => {
    const id = `launch-${count++}`;
    const start = performance.now();
    await agent.call('LAUNCH_CONTAINER', id, { config });
    const elapsed = performance.now() - start;
    await (await end(id))();
    return elapsed;
  };
  const ended = async () => {
    const id = `launch-${count++}`;
    const start = performance.now();
    await agent.call('LAUNCH_CONTAINER', id, { config });
    const remove = await end(id);
    const elapsed = performance.now() - start;
    await remove();
    return elapsed;
  };
  const crun = installedPeers(rootfs, directory).filter(({ name }) => name === 'crun');
  const contenders = [{ name: 'executed', launch: executed }, { name: 'ended', launch: ended }, ...crun];
  const samples = await interleaved(contenders, ROUNDS);
  const figures = (name) =>
    [0.5, 0.9, 0.99].map((share) => percentile(samples.get(name), share).toFixed(2)).join(' ');
  line('LAUNCH_CONTAINER until executed, p50 p90 p99 (ms)', figures('executed'));
  line('... and WAIT_CONTAINER until its end is known', figures('ended'));
  if (crun.length === 0) return;
  line('crun run', figures('crun'));
  const ratio = (name) => (median(samples.get(name)) / median(samples.get('crun'))).toFixed(3);
  line('until executed / crun run', ratio('executed'), GOALS.launch);
  line('until its end is known / crun run', ratio('ended'), GOALS.launch);
}

async function startTimes(agent) {
  const node = { name: 'node', launch: () => timed(process.execPath, ['-e', '0']) };
  const started = {
    name: 'agent',
    launch: async () => {
      const elapsed = await agent.start();
      await agent.stop();
      return elapsed;
    },
  };
  const samples = await interleaved([node, started], STARTS);
  line('start until the first answer, p50 (ms)', median(samples.get('agent')).toFixed(0));
  line(
    '... / node -e 0',
    (median(samples.get('agent')) / median(samples.get('node'))).toFixed(2),
    GOALS.start,
  );
}

/** Proportional: what several processes share is counted once (proc_pid_smaps_rollup(5)). */
const pssKb = (pid) =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
const childrenOf = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
const supervisorsKb = (pid) => childrenOf(pid).reduce((sum, child) => sum + pssKb(child), 0);

/** The kernel's memory for the agent and everything that it has started. */
class KernelMemory {
  #directory = `/sys/fs/cgroup/memory/caisson-bench-${process.pid}`;
  isThere = existsSync('/sys/fs/cgroup/memory/memory.kmem.usage_in_bytes');

  add(pid) {
    if (!this.isThere) return;
    mkdirSync(this.#directory);
    writeFileSync(join(this.#directory, 'cgroup.procs'), String(pid));
  }

  get kb() {
    return this.isThere
      ? readFileSync(join(this.#directory, 'memory.kmem.usage_in_bytes'), 'utf8') / 1024
      : Number.NaN;
  }

  remove() {
    if (this.isThere) rmdirSync(this.#directory);
  }
}

const cpuTicks = (pid) => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
};
const TICKS_PER_SECOND = 100; // USER_HZ (time(7))

async function many(agent, rootfs) {
  await agent.start();
  const kernel = new KernelMemory();
  kernel.add(agent.process.pid);
  const { pid } = agent.process;
  await agent.call('LAUNCH_CONTAINER', 'first', { config: { argv: ['/bin/sleep', '100000'], rootfs } });
  await sleep(SETTLED_MS);
  const before = { agent: pssKb(pid), supervisors: supervisorsKb(pid), kernel: kernel.kb };
  const began = performance.now();
  const config = { argv: ['/bin/sleep', '100000'], rootfs };
  await forEach(CONTAINERS, (n) => agent.call('LAUNCH_CONTAINER', `c${n}`, { config }));
  line('launches per second, 32 at once', (CONTAINERS / ((performance.now() - began) / 1000)).toFixed(0));
  // What many launches needed is given back after a moment without any.
  await sleep(SETTLED_MS);
  const ticks = cpuTicks(pid);
  await sleep(IDLE_MS);
  const idle = ((cpuTicks(pid) - ticks) / TICKS_PER_SECOND / (IDLE_MS / 1000)) * 100;
  const each = (kb) => (kb / CONTAINERS).toFixed(1);
  const own = pssKb(pid) - before.agent;
  const supervisors = supervisorsKb(pid) - before.supervisors;
  line('memory of the agent per container (KB, Pss)', each(own));
  line('memory of its supervisor (KB, Pss)', each(supervisors));
  line('both', each(own + supervisors), GOALS.memory);
  line("the kernel's own for agent, supervisor and container (KB)", each(kernel.kb - before.kernel));
  line('idle (% of a processor)', idle.toFixed(2), GOALS.idle);
  for (const path of ['/containers', '/monitor/statistics']) {
    const samples = [];
    for (let n = 0; n < QUERIES; n++) {
      const start = performance.now();
      await agent.get(path);
      samples.push(performance.now() - start);
    }
    line(
      `${path}, p50 p99 (ms)`,
      [0.5, 0.99].map((share) => percentile(samples, share).toFixed(0)).join(' '),
    );
  }
  await agent.stop('SIGKILL');
  line(
    'killed; start until it has recovered all (s)',
    ((await agent.start()) / 1000).toFixed(2),
    GOALS.recovery,
  );
  await forEach(CONTAINERS, (n) => endOne(agent, `c${n}`));
  await endOne(agent, 'first');
  await agent.stop();
  kernel.remove();
}

async function endOne(agent, id) {
  await agent.call('STOP_CONTAINER', id, { signal: 9 });
  await agent.call('REMOVE_CONTAINER', id);
}

export async function agentBenchmark(directory, rootfs) {
  console.log(`\nthe agent, with ${CONTAINERS} containers\n`);
  const agent = new BenchAgent(join(directory, 'agent'));
  try {
    await startTimes(agent);
    await agent.start();
    await latency(agent, rootfs, directory);
    await agent.stop();
    await many(agent, rootfs);
  } finally {
    agent.process?.kill('SIGKILL');
    agent.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = mkdtempSync(join(tmpdir(), 'caisson-bench-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', directory]);
  try {
    await agentBenchmark(directory, buildRootfs(directory));
  } finally {
    execFileSync('umount', ['--lazy', directory]);
    rmSync(directory, { recursive: true });
  }
}
