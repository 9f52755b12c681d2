import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmet } from './needs.js';

const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

interface Kind {
  readonly megabytes: number;
  /** The command that makes it of a file. */
  readonly make: readonly [program: string, ...args: string[]];
  readonly mountOptions: string;
  /** The command that makes it count, once it is mounted. */
  readonly count?: readonly [program: string, ...args: string[]];
}

/** Filesystems that count what a directory has, and can refuse what is too much. */
const KINDS = {
  // It commits each second: what it does on its own time a test would wait for.
  btrfs: {
    megabytes: 512,
    make: ['mkfs.btrfs', '-q'],
    mountOptions: 'commit=1',
    count: ['btrfs', 'quota', 'enable'],
  },
  ext4: {
    megabytes: 64,
    make: ['mkfs.ext4', '-q', '-O', 'quota,project', '-E', 'quotatype=prjquota'],
    mountOptions: 'prjquota',
  },
  xfs: { megabytes: 320, make: ['mkfs.xfs', '-q'], mountOptions: 'prjquota' },
} as const satisfies Record<string, Kind>;

export type LoopKind = keyof typeof KINDS;
export const LOOP_KINDS = Object.keys(KINDS) as LoopKind[];

/** A filesystem in a file, mounted while a test needs it. */
export class LoopFilesystem {
  readonly directory = mkdtempSync(join(tmpdir(), 'caisson-loop-'));
  readonly path = join(this.directory, 'mounted');

  /** @param counts  false: it could, and is not told to */
  constructor(kind: LoopKind, counts = true) {
    const { megabytes, make, mountOptions, count }: Kind = KINDS[kind];
    const image = join(this.directory, 'image');
    writeFileSync(image, '');
    truncateSync(image, megabytes * 2 ** 20);
    mkdirSync(this.path);
    try {
      run(...make, image);
      run('mount', '-o', counts || count ? `loop,${mountOptions}` : 'loop', image, this.path);
      if (counts && count) run(...count, this.path);
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

/** Why this host has no such filesystem, or undefined: it is tried. The kernel says why in its log, mount(8) says only that. */
export function loopProblem(kind: LoopKind): string | undefined {
  const { make, count }: Kind = KINDS[kind];
  const problem = unmet({ root: true, programs: [make[0], ...(count ? [count[0]] : [])] });
  if (problem) return `${kind}: ${problem}`;
  try {
    new LoopFilesystem(kind).remove();
    return undefined;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const first = (stderr || String(error)).trim().split('\n')[0];
    return `${kind} cannot be mounted here: ${first} (the kernel's last word: ${lastWord()})`;
  }
}

function lastWord(): string {
  const { stdout } = spawnSync('dmesg', ['-t'], { encoding: 'utf8' });
  return stdout?.trim().split('\n').at(-1) ?? '';
}
