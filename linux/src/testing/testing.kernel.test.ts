import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { readMountinfo } from '../proc/mountinfo.js';
import { posixSpawn } from '../process/spawn.js';
import { mount, umount } from '../syscalls/mount.js';
import { P_PID, WAIT, waitid } from '../syscalls/processes.js';
import { cgroupEntries } from './census-cgroups.js';
import {
  asRoot,
  busyboxRootfs,
  compareCensus,
  inMountNamespace,
  inNamespaces,
  needs,
  takeCensus,
  unmet,
  withCensus,
  withoutTrace,
} from './index.js';

withCensus();

const rootTest = asRoot(test);
let directory = '';

/** What the census says of a body that leaves something, and the undoing afterwards. */
async function complaint(body: () => Promise<unknown> | unknown): Promise<string> {
  const failure = await withoutTrace(body, { directories: [directory], patienceMs: 50 }).then(
    () => undefined,
    (error: Error) => error,
  );
  return failure?.message ?? 'no complaint';
}

describe('the census', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'caisson-census-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('is content with what leaves nothing', async () => {
    await withoutTrace(() => {
      writeFileSync(join(directory, 'x'), '');
      rmSync(join(directory, 'x'));
    });
  });

  rootTest('sees a mount', async () => {
    expect(await complaint(() => mount({ source: 'none', target: directory, type: 'tmpfs' }))).toMatch(
      new RegExp(`\\+ mount +.* ${directory} .* - tmpfs`),
    );
    umount(directory);
  });

  rootTest('sees a mount that is gone', async () => {
    mount({ source: 'none', target: directory, type: 'tmpfs' });
    expect(await complaint(() => umount(directory))).toMatch(
      new RegExp(`- mount +.* ${directory} .* - tmpfs`),
    );
  });

  const hierarchies = readMountinfo()
    .filter(({ filesystem }) => /^cgroup2?$/.test(filesystem))
    .map(({ mountPoint }) => mountPoint);
  rootTest('sees a cgroup in each hierarchy, v1 and v2', async () => {
    for (const hierarchy of hierarchies) {
      const path = join(hierarchy, 'caisson-census-test');
      expect(await complaint(() => mkdirSync(path))).toContain(`+ cgroup     ${path}`);
      rmdirSync(path);
    }
  });

  rootTest('leaves a cgroup alone that somebody else has processes in, or removes', async () => {
    const [hierarchy = ''] = hierarchies;
    const path = join(hierarchy, 'caisson-census-test');
    mkdirSync(path);
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    writeFileSync(join(path, 'cgroup.procs'), String(child.pid));
    const counted = (ourPids: number[]) =>
      cgroupEntries(/caisson-census-test/, new Set(ourPids)).map(({ key }) => key);
    expect(counted([child.pid as number])).toEqual([path]);
    expect(counted([])).toEqual([]);
    child.kill();
    await once(child, 'exit');
    await withoutTrace(() => rmdirSync(path));
  });

  test('sees a child that runs', async () => {
    const children: ReturnType<typeof spawn>[] = [];
    expect(await complaint(() => children.push(spawn('sleep', ['1000'], { stdio: 'ignore' })))).toMatch(
      /\+ process +\d+ \(sleep\) sleep 1000: state [RS], parent \d+/,
    );
    for (const child of children) {
      child.kill();
      await once(child, 'exit');
    }
  });

  test('sees a zombie', async () => {
    let pid = 0;
    const run = () => {
      pid = posixSpawn({ path: '/bin/true', argv: ['true'], fileActions: [] });
      waitid(P_PID, pid, WAIT.WEXITED | 0x01000000); // WNOWAIT: it stays a zombie
    };
    expect(await complaint(run)).toMatch(/\+ process +\d+ \(true\) a zombie: state Z/);
    waitid(P_PID, pid, WAIT.WEXITED);
  });

  test('sees an orphan that left its session, since it is a subreaper', async () => {
    const daemonise = 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!';
    let pid = 0;
    const leave = () => {
      pid = Number(execFileSync('sh', ['-c', daemonise]));
    };
    expect(await complaint(leave)).toMatch(new RegExp(`\\+ process +${pid} .*parent ${process.pid}`));
    process.kill(pid, 'SIGKILL');
    waitid(P_PID, pid, WAIT.WEXITED);
  });

  test('reaps orphans that end where it is told to', async () => {
    await withoutTrace(() => spawnSync('sh', ['-c', 'sleep 0.05 &'], { stdio: 'ignore' }), {
      reapOrphans: true,
    });
  });

  test('waits for what is about to end', async () => {
    await withoutTrace(() => {
      spawn('sleep', ['0.1'], { stdio: 'ignore' });
    });
  });

  test('sees a descriptor', async () => {
    let fd = 0;
    const open = () => {
      fd = openSync(directory, 'r');
    };
    expect(await complaint(open)).toMatch(new RegExp(`\\+ descriptor \\d+ -> ${directory}`));
    closeSync(fd);
  });

  test('sees files, FIFOs and sockets by their type', async () => {
    const server = createServer();
    const told = await complaint(async () => {
      mkdirSync(join(directory, 'sub'));
      writeFileSync(join(directory, 'sub/file'), '');
      execFileSync('mkfifo', [join(directory, 'sub/fifo')]);
      server.listen(join(directory, 'socket'));
      await once(server, 'listening');
    });
    expect(told).toContain(`+ file       ${directory}/sub (directory)`);
    expect(told).toContain(`+ file       ${directory}/sub/file (file)`);
    expect(told).toContain(`+ file       ${directory}/sub/fifo (FIFO)`);
    expect(told).toContain(`+ file       ${directory}/socket (socket)`);
    server.close();
    await once(server, 'close');
  });

  test('leaves out what it is told to', () => {
    const before = takeCensus({ ignore: ({ kind }) => kind === 'mount' });
    expect(before.some(({ kind }) => kind === 'mount')).toBe(false);
    expect(compareCensus(before, takeCensus({ ignore: ({ kind }) => kind === 'mount' }))).toEqual([]);
  });
});

describe('a function in namespaces of its own', () => {
  rootTest('mounts where this host does not see it', () => {
    const lines = inMountNamespace(({ syscalls, proc }, target) => {
      syscalls.mount({ source: 'none', target, type: 'tmpfs' });
      return proc.readMountinfo().filter(({ mountPoint }) => mountPoint === target).length;
    }, '/mnt');
    expect(lines).toBe(1);
    expect(readMountinfo().filter(({ mountPoint }) => mountPoint === '/mnt')).toEqual([]);
  });

  rootTest('throws what was thrown, with its code', () => {
    const failing = () =>
      inMountNamespace(({ syscalls }) => syscalls.mount({ target: '/nowhere', type: 'tmpfs' }), null);
    expect(failing).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'mount' }));
  });

  rootTest('can be the first process of a pid namespace', () => {
    expect(inNamespaces(['--pid', '--fork', '--mount-proc'], () => process.pid, null)).toBe(1);
  });
});

describe('what a test needs', () => {
  test('is said when it is not there', () => {
    expect(unmet({})).toBeUndefined();
    expect(unmet({ programs: ['sh', 'no-such-program'] })).toBe('no-such-program not installed');
    expect(unmet({ kernel: [99, 0] })).toBe('needs Linux 99.0');
    expect(unmet({ host: () => 'it rains' })).toBe('it rains');
  });

  test('decides between a test and its skip', () => {
    const fake = Object.assign(() => {}, { skip: 'skip' });
    expect(needs(fake, {})).toBe(fake);
    expect(needs(fake, { kernel: [99, 0] })).toBe('skip');
  });
});

needs(test, { root: true, busybox: true })('a busybox root filesystem runs its programs', () => {
  const root = mkdtempSync(join(tmpdir(), 'caisson-busybox-'));
  try {
    busyboxRootfs(root);
    const { stdout } = spawnSync('chroot', [root, '/bin/sh', '-c', 'id -un; ls /; ls -ld /tmp'], {
      encoding: 'utf8',
    });
    expect(stdout).toMatch(/^root\nbin\ndev\netc\nproc\nroot\nsys\ntmp\nvar\ndrwxrwxrwt/);
  } finally {
    rmSync(root, { recursive: true });
  }
});
