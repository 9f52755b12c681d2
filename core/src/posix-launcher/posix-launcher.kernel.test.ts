/** Real processes: the launcher posix through the whole core. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerConfig, IsolatorDefinition, LaunchPlan } from '@caisson/plugin-sdk';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Containerizer } from '../containerizer/containerizer.js';
import type { CreateOptions } from '../containerizer/types.js';
import { Generation } from '../plugin-host/generation.js';
import type { PreparedGeneration } from '../plugin-host/prepare-generation.js';
import type { PluginSet } from '../plugin-host/selection.js';
import { FakeLog, fakeConfiguration, fakeIsolator, TemporaryDirectory } from '../testing/fakes.js';
import { gateScript, parseReport } from './gate-script.js';
import { posixPlugin } from './plugin.js';
import { hasVariable, listProcesses } from './process-list.js';
import { findMembers } from './process-tree.js';
import { resolveUser } from './users.js';

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
if (!isRoot) console.warn('skipped: starting containers as another user needs root');
const onLinux = process.platform === 'linux' ? test : test.skip;

let directory: TemporaryDirectory;
let log: FakeLog;
let open: Containerizer[];
beforeEach(() => {
  directory = new TemporaryDirectory();
  log = new FakeLog();
  open = [];
});
afterEach(async () => {
  for (const each of open) {
    await Promise.allSettled(each.list().map(({ id }) => each.destroy(id)));
    await each.close();
  }
  directory.remove();
});

/** Gives what filesystem/posix gives. */
const filesystem = fakeIsolator('filesystem/fake', {
  prepare: ({ sandbox }: { sandbox: string }, plan: LaunchPlan) =>
    plan.setEnvironment('MESOS_SANDBOX', sandbox),
});

function generation(isolators: readonly IsolatorDefinition[]): PreparedGeneration {
  const all = [filesystem, ...isolators];
  const set: PluginSet = {
    launcher: { name: 'posix', definition: posixPlugin.definition.launchers![0]!, plugin: posixPlugin },
    isolators: all.map((definition) => ({ name: definition.name, definition, plugin: posixPlugin })),
  };
  const selection = { launcher: 'posix', isolation: all.map(({ name }) => name), skipped: [] };
  return {
    selection,
    create: ({ directories, ...host }) =>
      Generation.create(set, selection, new Map(), {
        ...host,
        environment: { ...directories, ...selection },
      }),
  };
}

async function start(isolators: readonly IsolatorDefinition[] = [], options: CreateOptions = {}) {
  const started = await Containerizer.start(generation(isolators), fakeConfiguration(directory), {
    log,
    ...options,
  });
  open.push(started);
  return started;
}

const sh = (script: string, more: Partial<ContainerConfig> = {}): ContainerConfig => ({
  argv: ['sh', '-c', script],
  ...more,
});
const rejection = (promise: Promise<unknown>): Promise<Error & { code: string }> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error) => error,
  );

/** Runs to its end; what it printed, and how it ended. */
async function run(containerizer: Containerizer, config: ContainerConfig) {
  const { id, sandbox } = await containerizer.launch(undefined, config);
  const termination = await containerizer.wait(id);
  const [stdout, stderr] = ['stdout', 'stderr'].map((name) => readFileSync(`${sandbox}/${name}`, 'utf8'));
  return { ...termination, stdout: stdout!, stderr: stderr! };
}

/** Resolves once the container has written this file into its sandbox. */
async function written(sandbox: string, name: string): Promise<string> {
  const file = `${sandbox}/${name}`;
  const deadline = Date.now() + 10_000;
  while (!existsSync(file) || readFileSync(file, 'utf8') === '') {
    if (Date.now() > deadline) throw new Error(`${file} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return readFileSync(file, 'utf8').trim();
}

const isAlive = (pid: number) => listProcesses().some((each) => each.pid === pid);

describe('a container', () => {
  test('has the output, the status and the environment that it was given, nothing else (N13)', async () => {
    const containerizer = await start();
    const result = await run(
      containerizer,
      sh('echo out; echo err >&2; env; umask; ulimit -c; exit 3', { environment: { A: "it's", B: '$(id)' } }),
    );
    expect(result).toMatchObject({ exitCode: 3, status: 768, reason: 'EXITED' });
    const [first, ...rest] = result.stdout.trim().split('\n');
    expect(first).toBe('out');
    const variables = rest.filter((line) => line.includes('=')).map((line) => line.split('=')[0]);
    // The inner shell adds its own PWD.
    expect(variables.filter((name) => name !== 'PWD').sort()).toEqual(['A', 'B', 'MESOS_SANDBOX', 'PATH']);
    expect(rest.slice(-2)).toEqual(['0022', '0']);
    expect(result.stderr).toBe('err\n');
  });

  test('gets none of the variables of the shell at the gate', async () => {
    const containerizer = await start();
    const { stdout } = await run(containerizer, { argv: ['/usr/bin/env'] });
    expect(
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('=')[0])
        .sort(),
    ).toEqual(['MESOS_SANDBOX', 'PATH']);
  });

  test('has its arguments as they are', async () => {
    const containerizer = await start();
    const { stdout } = await run(containerizer, {
      argv: ['printf', '[%s]', 'a b', '$HOME', "'", '"', '', '*', '-n'],
    });
    expect(stdout).toBe(`[a b][$HOME][']["][][*][-n]`);
  });

  test('works in its sandbox, or where it is told', async () => {
    const containerizer = await start();
    const { id, sandbox } = await containerizer.launch(undefined, sh('pwd > where'));
    await containerizer.wait(id);
    expect(readFileSync(`${sandbox}/where`, 'utf8').trim()).toBe(sandbox);
    expect((await run(containerizer, sh('pwd', { workingDirectory: '/usr' }))).stdout).toBe('/usr\n');
    expect(
      await rejection(containerizer.launch(undefined, sh('pwd', { workingDirectory: '/nonexistent' }))),
    ).toMatchObject({
      code: 'POSIX_SPAWN_FAILED',
    });
  });

  test('is leader of its own session and group (N1), and gets its signals', async () => {
    const containerizer = await start();
    const { id, pid } = await containerizer.launch(undefined, { argv: ['sleep', '100'] });
    const entry = listProcesses().find((each) => each.pid === pid);
    expect(entry).toMatchObject({ group: pid });
    if (process.platform === 'linux') expect(entry).toMatchObject({ session: pid });
    expect(containerizer.signal(id, 15)).toBe(true);
    expect(await containerizer.wait(id)).toMatchObject({ status: 15, signal: 'SIGTERM', reason: 'EXITED' });
    expect(containerizer.signal(id, 15)).toBe(false);
  });

  onLinux('has no descriptor of this process but 0, 1, 2', async () => {
    const server = createServer().listen(0);
    const containerizer = await start();
    // Once it writes, its loader has closed the libraries that it had open.
    const { id, pid, sandbox } = await containerizer.launch(undefined, sh('echo ready; sleep 100; exit'));
    while (!readFileSync(`${sandbox}/stdout`, 'utf8')) await sleep(1);
    // What this process itself got without close-on-exec from its parent, Node does not close.
    const isInherited = (fd: string) => linkOf(pid, fd) === linkOf(process.pid, fd);
    const theirs = () => readdirSync(`/proc/${pid}/fd`).filter((fd) => Number(fd) > 2);
    expect(theirs().filter((fd) => !isInherited(fd))).toEqual([]);
    for (const fd of theirs())
      expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).not.toMatch(/flags:\s+02\d{6}/);
    await containerizer.destroy(id);
    server.close();
  });
});

function linkOf(pid: number, fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return undefined; // closed meanwhile
  }
}

describe('launched means executed (N11)', () => {
  test.each([
    ['not there', 'nowhere', /not found/],
    ['not executable', '/etc/passwd', /not executable|not found/],
    ['a directory', '/etc', /not executable|not found/],
  ])('a command that is %s fails the launch', async (_what, command, message) => {
    const containerizer = await start();
    const error = await rejection(containerizer.launch('web', { argv: [command] }));
    expect(error.message).toMatch(/launcher posix.*container web/);
    if (command !== '/etc/passwd')
      expect(error).toMatchObject({
        code: expect.stringMatching(/^COMMAND_NOT_(FOUND|EXECUTABLE)$/),
        message: expect.stringMatching(message),
      });
    expect(readdirSync(directory.join('run/containers'))).toEqual([]);
    expect(readdirSync(directory.join('work/containers'))).toEqual([]);
  });

  test.each([126, 127])('a command that ends with %d was executed', async (status) => {
    const containerizer = await start();
    expect(await run(containerizer, sh(`exit ${status}`))).toMatchObject({ exitCode: status });
  });

  test('the report of the gate', () => {
    expect(parseReport('r')).toBe('executed');
    expect(parseReport('')).toBe('ended at the gate');
    expect(parseReport('r 127')).toEqual({ status: 127 });
    expect(gateScript({ environment: { PWD: '/' }, oomScoreAdj: 5 })).toMatch(
      /echo 5 >.*\nunset OLDPWD SHLVL/,
    );
  });

  const shells = [['dash'], ['bash', '--posix'], ['busybox', 'sh'], ['sh']].filter(
    ([shell]) => spawnSync('sh', ['-c', `command -v ${shell}`]).status === 0,
  );
  test.each(shells)('the gate in %s', async (...shell) => {
    const through = async (command: string[], gate: string) => {
      const script = gateScript({ environment: {}, oomScoreAdj: undefined });
      const [program = '', ...options] = shell.filter((word) => typeof word === 'string');
      const child = spawn(program, [...options, '-c', script, 'sh', ...command], {
        stdio: ['ignore', 'pipe', 'ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH },
      });
      let report = '';
      child.stdio[4]!.on('data', (chunk) => {
        report += chunk;
      });
      (child.stdio[3] as Writable).end(gate);
      return { status: await ended(child), report: parseReport(report) };
    };
    expect(await through(['sh', '-c', 'exit 7'], '\n')).toEqual({ status: 7, report: 'executed' });
    expect(await through(['nowhere'], '\n')).toEqual({ status: 127, report: { status: 127 } });
    expect(await through(['true'], '')).toEqual({ status: 125, report: 'ended at the gate' });
  });

  test('nothing of the command runs before isolate has finished', async () => {
    let isolated = 0;
    const containerizer = await start([
      fakeIsolator(
        'acme/slow',
        {
          isolate: async () => {
            await new Promise((resolve) => setTimeout(resolve, 100));
            isolated = Date.now();
          },
        },
        { kind: 'tapPromise' },
      ),
    ]);
    const { stdout } = await run(containerizer, { argv: ['date', '+%s%3N'] });
    expect(Number(stdout)).toBeGreaterThanOrEqual(isolated);
    expect(isolated).toBeGreaterThan(0);
  });

  onLinux('the oom score is what it shall be, never ours', async () => {
    const containerizer = await start();
    const { stdout } = await run(containerizer, {
      argv: ['cat', '/proc/self/oom_score_adj'],
      oomScoreAdj: 321,
    });
    expect(stdout).toBe('321\n');
  });
});

describe('what it cannot do is refused (no silent weakening)', () => {
  test.each<[string, Partial<ContainerConfig>]>([
    ['rootfs', { rootfs: '/' }],
    ['terminal', { stdio: 'terminal' }],
    ['capabilities', { capabilities: {} }],
    ['privileged', { privileged: true }],
    ['rlimits', { rlimits: { NOFILE: { soft: 1, hard: 1 } } }],
    ['no-new-privileges', { noNewPrivileges: true }],
    ['init', { init: true }],
    ['variables', { environment: { 'BASH_FUNC_read%%': '() { :; }' } }],
  ])('%s of a configuration', async (what, config) => {
    const containerizer = await start();
    const error = await rejection(containerizer.launch('web', { argv: ['true'], ...config }));
    expect(error).toMatchObject({ code: 'POSIX_UNSUPPORTED', kind: 'unsupported' });
    expect(error.message).toContain(what);
    expect(readdirSync(directory.join('run/containers'))).toEqual([]);
  });

  test('namespaces and mounts, with the isolator that asked', async () => {
    const asking = fakeIsolator('acme/asking', {
      prepare: (_c: unknown, plan: LaunchPlan) => plan.createNamespace('pid'),
    });
    const containerizer = await start([asking]);
    const error = await rejection(containerizer.launch('web', { argv: ['true'] }));
    expect(error.message).toMatch(/no namespaces; asked for by acme\/asking/);
  });

  test('a command that a shell would take for an option', async () => {
    const containerizer = await start();
    expect(await rejection(containerizer.launch('web', { argv: ['-c'] }))).toMatchObject({
      code: 'POSIX_UNSUPPORTED',
    });
  });
});

describe('users', () => {
  const files = () => {
    writeFileSync(
      directory.join('passwd'),
      'root:x:0:0::/root:/bin/sh\nbob:x:1000:1001::/home/bob:/bin/sh\n123:x:55:55::/:/bin/sh\n',
    );
    writeFileSync(directory.join('group'), 'root:x:0:\nstaff:x:50:bob\n');
    return { passwd: directory.join('passwd'), group: directory.join('group') };
  };
  test.each([
    ['bob', { uid: 1000, gid: 1001, name: 'bob', home: '/home/bob' }],
    ['bob:staff', { uid: 1000, gid: 50 }],
    ['1000', { uid: 1000, gid: 1001, name: 'bob' }],
    ['77', { uid: 77, gid: 0 }],
    ['77:88', { uid: 77, gid: 88 }],
    // A number is a number, though a user bears it as a name.
    ['123', { uid: 123, gid: 0, name: undefined }],
  ])('%s', (spec, expected) => expect(resolveUser(spec, files())).toMatchObject(expected));
  test.each(['nobody-here', 'bob:nowhere', '', ':', 'bob:', 'a:b:c', '-1', '4294967295', '99999999999'])(
    '%j is refused',
    (spec) => expect(() => resolveUser(spec, files())).toThrow(/user/),
  );

  asRoot(
    "a container runs as the user, in a sandbox that is the user's, and no other can look in (F8)",
    async () => {
      const containerizer = await start();
      const { stdout } = await run(
        containerizer,
        sh('id -u; id -g; id -G; touch mine', { user: '12345:12346' }),
      );
      expect(stdout).toBe('12345\n12346\n12346\n');
      const other = await run(
        containerizer,
        sh(`ls ${directory.join('work/containers')}/*/ 2>&1; true`, { user: '999:999' }),
      );
      expect(other.stdout).not.toMatch(/mine/);
    },
  );
});

describe('destroy', () => {
  test('ends what the container started, in whatever session', async () => {
    const containerizer = await start();
    const { id, sandbox } = await containerizer.launch(
      undefined,
      sh(`sleep 100 & echo $! > child; setsid sh -c 'echo $$ > session; exec sleep 100' & wait`),
    );
    const pids = [Number(await written(sandbox, 'child')), Number(await written(sandbox, 'session'))];
    expect(pids.every(isAlive)).toBe(true);
    expect(await containerizer.destroy(id)).toMatchObject({ signal: 'SIGKILL', reason: 'DESTROYED' });
    expect(pids.some(isAlive)).toBe(false);
  });

  onLinux(
    'ends one that forked twice into a session of its own; by session and parents alone it lives on',
    async () => {
      const containerizer = await start();
      const { id, pid, sandbox } = await containerizer.launch(
        undefined,
        sh(`setsid sh -c '(sh -c "echo \\$\\$ > escaped; exec sleep 100") &' ; sleep 100`),
      );
      const escaped = Number(await written(sandbox, 'escaped'));
      const tree = { leader: pid, start: 0, isReaped: () => false };
      const gone = listProcesses().filter((each) => each.pid !== escaped || each.ppid !== pid);
      expect(findMembers({ ...tree, sandbox: '/another' }, gone)).not.toContain(escaped);
      expect(hasVariable(escaped, 'MESOS_SANDBOX', sandbox)).toBe(true);
      await containerizer.destroy(id);
      expect(isAlive(escaped)).toBe(false);
    },
  );

  test('ends what is left when the first process exits', async () => {
    const containerizer = await start();
    const { id, sandbox } = await containerizer.launch(undefined, sh('sleep 100 & echo $! > child; exit 5'));
    expect(await containerizer.wait(id)).toMatchObject({ exitCode: 5, reason: 'EXITED' });
    expect(isAlive(Number(await written(sandbox, 'child')))).toBe(false);
  });

  test('never touches a process that got the number of one that was reaped', () => {
    const entry = { pid: 10, ppid: 1, group: 10, session: 10, start: 50 };
    const tree = { leader: 10, start: 40, sandbox: '/s' };
    expect(findMembers({ ...tree, isReaped: () => false }, [entry])).toEqual([10]);
    expect(findMembers({ ...tree, isReaped: () => true }, [entry])).toEqual([]);
    expect(findMembers({ ...tree, start: 60, isReaped: () => false }, [entry])).toEqual([]);
  });
});

describe('hostile sandboxes (F8)', () => {
  test('stdout that is a link is not followed', async () => {
    const victim = directory.join('victim');
    writeFileSync(victim, 'precious');
    const containerizer = await start([
      fakeIsolator('acme/planting', {
        prepare: ({ sandbox }: { sandbox: string }) => symlinkSync(victim, `${sandbox}/stdout`),
      }),
    ]);
    await rejection(containerizer.launch('web', sh('echo overwritten')));
    expect(readFileSync(victim, 'utf8')).toBe('precious');
  });

  asRoot('a nested sandbox does not follow what its parent made of `containers`', async () => {
    const containerizer = await start();
    const outside = directory.join('outside');
    mkdirSync(outside);
    await containerizer.launch(
      'web',
      sh(`ln -s ${outside} containers; echo x > done; sleep 100`, { user: '12345:12345' }),
    );
    await written(directory.join('work/containers/web/sandbox'), 'done');
    expect(await rejection(containerizer.launch('web.in', sh('echo x')))).toMatchObject({
      code: 'SANDBOX_REFUSED',
    });
    expect(readdirSync(outside)).toEqual([]);
  });

  asRoot('the removal of a nested sandbox does not follow a link either', async () => {
    const containerizer = await start();
    const outside = directory.join('outside');
    mkdirSync(`${outside}/in`, { recursive: true });
    writeFileSync(`${outside}/in/stdout`, 'precious');
    const { sandbox } = await containerizer.launch(
      'web',
      sh(
        `while [ ! -e go ]; do sleep 0.02; done; mv containers old; ln -s ${outside} containers; echo x > done; sleep 100`,
        {
          user: '12345:12345',
        },
      ),
    );
    const inner = await containerizer.launch('web.in', sh('true'));
    await containerizer.wait(inner.id);
    writeFileSync(`${sandbox}/go`, '');
    await written(sandbox, 'done');
    await containerizer.remove('web.in');
    expect(readFileSync(`${outside}/in/stdout`, 'utf8')).toBe('precious');
    await containerizer.destroy('web');
    await containerizer.remove('web');
    expect(readFileSync(`${outside}/in/stdout`, 'utf8')).toBe('precious');
    expect(readdirSync(directory.join('work/containers'))).toEqual([]);
  });
});

/** A program of its own that owns the directories, and is killed. */
const PROGRAM = `
  import { Containerizer } from ${JSON.stringify(new URL('../containerizer/containerizer.js', import.meta.url).href)};
  import { Generation } from ${JSON.stringify(new URL('../plugin-host/generation.js', import.meta.url).href)};
  import { posixPlugin } from ${JSON.stringify(new URL('./plugin.js', import.meta.url).href)};
  import { fakeConfiguration, fakeIsolator } from ${JSON.stringify(new URL('../testing/fakes.js', import.meta.url).href)};
  const [path, script, transient] = process.argv.slice(1);
  const filesystem = fakeIsolator('filesystem/fake', { prepare: ({ sandbox }, plan) => plan.setEnvironment('MESOS_SANDBOX', sandbox) });
  const set = {
    launcher: { name: 'posix', definition: posixPlugin.definition.launchers[0], plugin: posixPlugin },
    isolators: [{ name: filesystem.name, definition: filesystem, plugin: posixPlugin }],
  };
  const selection = { launcher: 'posix', isolation: [filesystem.name], skipped: [] };
  const generation = { selection, create: ({ directories, ...host }) => Generation.create(set, selection, new Map(), { ...host, environment: { ...directories, ...selection } }) };
  const directory = { path, join: (...names) => [path, ...names].join('/') };
  const containerizer = await Containerizer.start(generation, fakeConfiguration(directory), { transient: transient === 'transient' });
  const { pid, sandbox } = await containerizer.launch('web', { argv: ['sh', '-c', script] });
  console.log(JSON.stringify({ pid, sandbox }));
  setInterval(() => {}, 1000);`;

function program(script: string, { transient = false, failpoints = '' } = {}): ChildProcess {
  const args = [directory.path, script, transient ? 'transient' : ''];
  return spawn(process.execPath, ['--conditions=failpoints', '--input-type=module', '-e', PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, CAISSON_FAILPOINTS: failpoints },
  });
}

const ended = (child: ChildProcess) =>
  new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));

async function launchedBy(child: ChildProcess): Promise<{ pid: number; sandbox: string }> {
  for await (const chunk of child.stdout!) return JSON.parse(String(chunk));
  throw new Error('it did not launch');
}

const sandboxProcesses = () =>
  listProcesses().filter(({ pid }) =>
    hasVariable(pid, 'MESOS_SANDBOX', directory.join('work/containers/web/sandbox')),
  );

async function allGone(): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (sandboxProcesses().length > 0) {
    if (Date.now() > deadline) throw new Error(`left: ${JSON.stringify(sandboxProcesses())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('after a SIGKILL of its owner', () => {
  test('a container goes on and is taken up again; its status is lost, which is said', async () => {
    const owner = program('echo started > started; exec sleep 100');
    const { pid } = await launchedBy(owner);
    owner.kill('SIGKILL');
    await ended(owner);
    const containerizer = await start();
    expect(containerizer.list()).toMatchObject([{ id: 'web', state: 'RUNNING', pid }]);
    expect(containerizer.signal('web', 15)).toBe(true);
    expect(await containerizer.wait('web')).toMatchObject({ reason: 'LOST' });
    await containerizer.remove('web');
    expect(readdirSync(directory.join('work/containers'))).toEqual([]);
  });

  test('one that is taken up can be destroyed', async () => {
    const owner = program('sleep 100 & exec sleep 100');
    const { pid } = await launchedBy(owner);
    owner.kill('SIGKILL');
    await ended(owner);
    const containerizer = await start();
    expect(await containerizer.destroy('web')).toMatchObject({ reason: 'DESTROYED' });
    expect(isAlive(pid)).toBe(false);
    await allGone();
  });

  test('of a transient one everything ends at once, and the next start collects the files', async () => {
    const owner = program('sleep 100 & exec sleep 100', { transient: true });
    await launchedBy(owner);
    owner.kill('SIGKILL');
    await ended(owner);
    await allGone();
    expect(readdirSync(directory.join('run/runs'))).toHaveLength(1);
    const next = await start([], { transient: true });
    expect(readdirSync(directory.join('run/runs'))).toHaveLength(1);
    expect(readdirSync(directory.join('work/containers'))).toEqual([]);
    await next.close();
    expect(readdirSync(directory.join('run/runs'))).toEqual([]);
  });

  test.each([
    'launch.validated',
    'launch.recorded',
    'launch.sandbox',
    'launch.prepared',
    'posix.spawned',
    'launch.forked',
    'checkpoint.written',
    'launch.checkpointed',
    'launch.isolated',
    'launch.watched',
    'launch.released',
  ])('at %s nothing is left after the next start (N6)', async (step) => {
    const owner = program('exec sleep 100', { failpoints: `${step}=kill` });
    expect(await ended(owner)).toBe('SIGKILL');
    const containerizer = await start();
    await allGone();
    expect(containerizer.list()).toEqual([]);
    expect(readdirSync(directory.join('run/containers'))).toEqual([]);
    expect(readdirSync(directory.join('work/containers'))).toEqual([]);
    await containerizer.launch('web', { argv: ['true'] });
    await containerizer.wait('web');
  });

  test.each(['destroy.began', 'destroy.killed', 'destroy.cleaned', 'destroy.recording'])(
    'at %s it is known that the container ended',
    async (step) => {
      const owner = program('exit 0', { failpoints: `${step}=kill` });
      expect(await ended(owner)).toBe('SIGKILL');
      const containerizer = await start();
      expect(await containerizer.wait('web')).toMatchObject({ reason: 'LOST' });
      await containerizer.remove('web');
      expect(readdirSync(directory.join('work/containers'))).toEqual([]);
    },
  );

  test('a gated child does not outlive its parent (N6); with a FIFO as the gate it does', async () => {
    // Guard off: a shell that waits on a FIFO sleeps in open(2) for ever.
    const { execFileSync } = await import('node:child_process');
    const fifo = directory.join('fifo');
    execFileSync('mkfifo', [fifo]);
    const naive = `require('node:child_process').spawn('/bin/sh', ['-c', 'read x <"$0"; exec sleep 1', ${JSON.stringify(fifo)}], { detached: true, stdio: 'ignore', env: { MESOS_SANDBOX: ${JSON.stringify(directory.join('work/containers/web/sandbox'))} } }); process.kill(process.pid, 'SIGKILL');`;
    const attacked = spawn(process.execPath, ['-e', naive]);
    await ended(attacked);
    expect(sandboxProcesses()).toHaveLength(1);
    process.kill(sandboxProcesses()[0]!.pid, 'SIGKILL');
    await allGone();
    for (let round = 0; round < 3; round += 1) {
      const owner = program('exec sleep 100', { failpoints: 'launch.forked=kill' });
      await ended(owner);
      await allGone();
      await (await start()).close();
    }
  });
});

test('a record that cannot be read is set aside, its container ended, and the rest recovers (K5)', async () => {
  const owner = program('exec sleep 100');
  const { pid } = await launchedBy(owner);
  owner.kill('SIGKILL');
  await ended(owner);
  const record = directory.join('run/containers/web/record.json');
  writeFileSync(record, readFileSync(record, 'utf8').slice(0, 100));
  const containerizer = await start();
  expect(isAlive(pid)).toBe(false);
  expect(containerizer.list()).toEqual([]);
  expect(log.text).toMatch(/record\.json cannot be read.*set aside as .*record\.json\.corrupt-1/);
  expect(readdirSync(directory.join('run/containers/web'))).toEqual(['record.json.corrupt-1']);
  await containerizer.close();
  // It is in nobody's way, also after the next start.
  const next = await start();
  await next.launch('web', { argv: ['true'] });
  await next.wait('web');
  await next.remove('web');
  expect(readdirSync(directory.join('run/containers/web'))).toEqual(['record.json.corrupt-1']);
});

test('an exit while this process is closed is seen by the next', async () => {
  const first = await start();
  const { pid } = await first.launch('web', { argv: ['sleep', '100'] });
  await first.close();
  process.kill(pid, 'SIGKILL');
  const second = await start();
  expect(await second.wait('web')).toMatchObject({ reason: 'LOST' });
});
