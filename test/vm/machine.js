/** One life of the emulated machine: starts it with a list of test files, follows its console, ends it when it hangs. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, unfinished } from './results.js';

/** What takes the host a second takes it ten to twenty, and the host may be busy. A test's own limit is 600 s (Jest). */
const LIMIT_SECONDS = { boot: 180, silence: 900 };

/** Runs the files; the answer has a result (results.js) for each that began, which may be fewer. */
export async function runMachine({ runFolder, qemu, guest, checkout, files }) {
  const list = join(runFolder, 'tests');
  writeFileSync(list, padded(files.join('\n')));
  const results = [];
  const add = (result) => {
    console.log(describe(result));
    results.push(result);
  };
  let running;
  const end = await eachEvent([...qemu, ...machineArguments(guest, checkout, list)], (event) => {
    const ended = 'passed' in event;
    if (ended) add(event);
    running = ended ? undefined : event;
  });
  if (running) add(unfinished(running, end));
  return results;
}

/** A disk consists of sectors. */
const padded = (text) => text.padEnd(Math.ceil((text.length + 1) / 512) * 512, '\0');

function machineArguments({ kernel, initramfs, disk }, checkout, list) {
  // A snapshot: what the guest writes is gone with it.
  const drive = (file) => ['-drive', `file=${file},format=raw,if=virtio,snapshot=on,cache=unsafe`];
  return [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '4096', '-machine', 'q35'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-kernel', kernel, '-initrd', initramfs, '-append', 'console=ttyS0 loglevel=1 panic=-1'],
    ...[disk, checkout, list].flatMap(drive),
  ];
}

/** Calls back with what stands on the console in `@@` lines, prints all others, and answers how the machine ended. */
async function eachEvent([program, ...args], onEvent) {
  // It must not outlive us, however we end, and it gets the time that nobody else on the host wants.
  const runner = ['--pdeathsig', 'KILL', 'nice', '-n', '10'];
  const machine = spawn('setpriv', [...runner, program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => machine.on('exit', resolve));
  let end = 'the machine ended';
  const killAfter = (seconds, what) =>
    setTimeout(() => {
      end = `${what} for ${seconds} s`;
      machine.kill('SIGKILL');
    }, seconds * 1000);
  let timer = killAfter(LIMIT_SECONDS.boot, 'the machine did not boot');
  for await (const line of createInterface({ input: machine.stdout })) {
    if (!line.startsWith('@@')) {
      console.log(line);
      continue;
    }
    clearTimeout(timer);
    timer = killAfter(LIMIT_SECONDS.silence, 'no test began or ended');
    onEvent(JSON.parse(line.slice(2)));
  }
  await exited;
  clearTimeout(timer);
  return end;
}
