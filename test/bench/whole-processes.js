import { fileURLToPath } from 'node:url';
import { timed } from './peers.js';
import { interleaved, median } from './statistics.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 40);
const CLI = fileURLToPath(new URL('../../agent/bin/caisson.js', import.meta.url));

/** The command line as a whole process, against Node alone. */
export async function wholeProcesses() {
  const node = process.execPath;
  const contenders = [
    { name: 'node -e 0', launch: () => timed(node, ['-e', '0']) },
    { name: 'caisson --version', goal: 1.4, launch: () => timed(node, [CLI, '--version']) },
    { name: 'caisson run -- true', goal: 2.5, launch: () => timed(node, [CLI, 'run', '--', 'true']) },
  ];
  const samples = await interleaved(contenders, Math.min(ROUNDS, 40));
  const base = median(samples.get('node -e 0'));
  console.log('\nthe command line as a whole process (ms)\n');
  console.log('                          p50   x node -e 0   goal');
  for (const { name, goal } of contenders) {
    const p50 = median(samples.get(name));
    console.log(
      `${name.padEnd(22)} ${p50.toFixed(1).padStart(6)} ${(p50 / base).toFixed(2).padStart(13)}   ${goal ?? ''}`,
    );
  }
}
