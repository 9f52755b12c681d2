import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs a program of the host; its output. */
export const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

export interface LoopSettings {
  readonly megabytes: number;
  /** Makes the filesystem. */
  readonly format: (image: string) => void;
  readonly mountOptions?: string;
}

/** A filesystem in a file, mounted while a test needs it. */
export class LoopFilesystem {
  readonly directory = mkdtempSync(join(tmpdir(), 'caisson-loop-'));
  readonly path = join(this.directory, 'mounted');

  constructor({ megabytes, format, mountOptions }: LoopSettings) {
    const image = join(this.directory, 'image');
    writeFileSync(image, '');
    truncateSync(image, megabytes * 2 ** 20);
    mkdirSync(this.path);
    try {
      format(image);
      run('mount', '-o', ['loop', ...(mountOptions ? [mountOptions] : [])].join(','), image, this.path);
    } catch (error) {
      rmSync(this.directory, { recursive: true });
      throw error;
    }
  }

  /** The loop device goes with the mount. */
  remove(): void {
    run('umount', this.path);
    rmSync(this.directory, { recursive: true });
  }
}

/** Why a kernel can't mount it, or undefined: it is tried. The kernel says why in its log, mount(8) says only that. */
export function mountProblem(settings: LoopSettings): string | undefined {
  try {
    new LoopFilesystem(settings).remove();
    return undefined;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const first = (stderr || String(error)).trim().split('\n')[0];
    return `cannot be mounted here: ${first} (the kernel's last word: ${lastWord()})`;
  }
}

function lastWord(): string {
  const { stdout } = spawnSync('dmesg', ['-t'], { encoding: 'utf8' });
  return stdout?.trim().split('\n').at(-1) ?? '';
}

/** Devices that a mount has taken. */
export const loopDevices = (): string =>
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('/dev/loop'))
    .join('\n');
