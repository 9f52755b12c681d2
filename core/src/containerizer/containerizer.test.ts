import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type {
  Container,
  ContainerConfig,
  IsolatorDefinition,
  LaunchPlan,
  Phase,
  Recovery,
  ReportLimitation,
} from '@caisson/plugin-sdk';
import { clearFailpoints, setFailpoint } from '@caisson/plugin-sdk/failpoint';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Timeouts } from '../configuration/values.js';
import {
  FakeKernel,
  FakeLog,
  fakeConfiguration,
  fakeGeneration,
  fakeIsolator,
  TemporaryDirectory,
} from '../testing/fakes.js';
import { Containerizer } from './containerizer.js';
import type { ContainerEvent, CreateOptions } from './types.js';

let directory: TemporaryDirectory;
let kernel: FakeKernel;
let log: FakeLog;
let open: Containerizer[];

beforeEach(() => {
  directory = new TemporaryDirectory();
  kernel = new FakeKernel();
  log = new FakeLog();
  open = [];
});

afterEach(async () => {
  clearFailpoints();
  await Promise.all(open.map((each) => each.close()));
  directory.remove();
});

async function start(
  isolators: readonly IsolatorDefinition[] = [],
  timeouts: Partial<Timeouts> = {},
  options: CreateOptions = {},
): Promise<Containerizer> {
  const configuration = fakeConfiguration(directory, timeouts);
  const started = await Containerizer.start(fakeGeneration(kernel, isolators), configuration, {
    log,
    ...options,
  });
  open.push(started);
  return started;
}

const command = { argv: ['true'] };
const rejection = (
  promise: Promise<unknown>,
): Promise<Error & { code: string; kind: string; details: object }> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error) => error,
  );

/** What is on disk of containers. */
const filesOf = () => ({
  state: existsSync(directory.join('run/containers')) ? readdirSync(directory.join('run/containers')) : [],
  sandboxes: readdirSync(directory.join('work/containers')),
});
const nothing = { state: [], sandboxes: [] };

describe('a launch', () => {
  test('goes through the phases in order, and back in reverse', async () => {
    const calls: string[] = [];
    const taps = (name: string) =>
      fakeIsolator(
        name,
        Object.fromEntries(
          ['recover', 'prepare', 'isolate', 'watch', 'cleanup'].map((phase) => [
            phase,
            () => {
              calls.push(`${phase} ${name}`);
            },
          ]),
        ),
      );
    kernel.release = () => {
      calls.push('release');
    };
    const containerizer = await start([taps('acme/a'), taps('acme/b')]);
    const launched = await containerizer.launch('web', command);
    expect(launched).toMatchObject({
      id: 'web',
      pid: 1000,
      sandbox: directory.join('work/containers/web/sandbox'),
    });
    expect(containerizer.list()).toMatchObject([{ id: 'web', state: 'RUNNING', pid: 1000 }]);
    kernel.of('web').exit(3 << 8);
    expect(await containerizer.wait('web')).toEqual({ status: 768, exitCode: 3, reason: 'EXITED' });
    expect(calls).toEqual([
      'recover acme/a',
      'recover acme/b',
      'prepare acme/a',
      'prepare acme/b',
      'isolate acme/a',
      'isolate acme/b',
      'watch acme/a',
      'watch acme/b',
      'release',
      'cleanup acme/b',
      'cleanup acme/a',
    ]);
    expect(kernel.of('web').isClosed).toBe(true);
  });

  test('its pid is that after the release, which may start another process', async () => {
    kernel.release = (process) => {
      process.pid = 4242;
    };
    const containerizer = await start();
    expect(await containerizer.launch('web', command)).toMatchObject({ pid: 4242 });
    expect(containerizer.inspect('web')).toMatchObject({ pid: 4242 });
    expect(await containerizer.status('web')).toMatchObject({ executor_pid: 4242 });
  });

  test('tells its events, and times every tap', async () => {
    const containerizer = await start([
      fakeIsolator('acme/a', { prepare: () => undefined, cleanup: () => undefined }),
    ]);
    const events: ContainerEvent[] = [];
    containerizer.onEvent(() => {
      throw new Error('a listener that fails');
    });
    containerizer.onEvent((event) => events.push(event));
    await containerizer.launch('web', command);
    await containerizer.destroy('web');
    await containerizer.remove('web');
    expect(events.map((event) => ('state' in event ? event.state : event.type))).toEqual([
      'PREPARING',
      'tap',
      'ISOLATING',
      'RUNNING',
      'DESTROYING',
      'tap',
      'ENDED',
      'ended',
      'removed',
    ]);
    expect(log.text).toMatch(/a listener failed/);
  });

  test('shows configuration, plan and timings', async () => {
    const containerizer = await start([
      fakeIsolator('acme/a', { prepare: (_c: Container, plan: LaunchPlan) => plan.setEnvironment('A', '1') }),
    ]);
    await containerizer.launch('web', {
      argv: ['sh'],
      environment: { A: '2', B: '3' },
      labels: { team: 'x' },
    });
    const details = containerizer.inspect('web');
    expect(details).toMatchObject({ launcher: 'fake', isolation: ['acme/a'], labels: { team: 'x' } });
    expect(details.plan?.environment).toMatchObject({
      A: '2',
      B: '3',
      PATH: expect.stringContaining('/usr/bin'),
    });
    expect(details.timings.prepare?.['acme/a']).toBeGreaterThan(0);
    expect(details.timings.launcher).toMatchObject({ fork: expect.any(Number), release: expect.any(Number) });
  });

  test('gives isolators a container that they cannot change', async () => {
    let seen: Container | undefined;
    const containerizer = await start([
      fakeIsolator('acme/a', {
        prepare: (container: Container) => {
          seen = container;
        },
      }),
    ]);
    await containerizer.launch('web', { argv: ['true'], resources: { cpus: 1 } });
    expect(() => Object.assign(seen!, { id: 'other' })).toThrow(TypeError);
    expect(() => Object.assign(seen!.config, { argv: [] })).toThrow(TypeError);
    expect(() => Object.assign(seen!.resources, { cpus: 64 })).toThrow(TypeError);
    expect(seen!.pid).toBe(1000);
  });

  test('keeps state 0600 in 0700, and the sandbox behind a guard (K5, F8)', async () => {
    const containerizer = await start();
    await containerizer.launch('web', command);
    const mode = (path: string) => (statSync(directory.join(path)).mode & 0o7777).toString(8);
    expect(mode('run/containers/web')).toBe('700');
    expect(mode('run/containers/web/record.json')).toBe('600');
    expect(mode('work/containers/web')).toBe('700');
    expect(mode('work/containers/web/sandbox')).toBe('750');
  });

  test('a hundred at once', async () => {
    const containerizer = await start([
      fakeIsolator('acme/a', { prepare: async () => undefined }, { kind: 'tapPromise' }),
    ]);
    await Promise.all(Array.from({ length: 100 }, (_, i) => containerizer.launch(`c${i}`, command)));
    expect(containerizer.list()).toHaveLength(100);
    await Promise.all(containerizer.list().map(({ id }) => containerizer.destroy(id)));
    await Promise.all(containerizer.list().map(({ id }) => containerizer.remove(id)));
    expect(filesOf()).toEqual(nothing);
  });
});

const TMPFS = { containerPath: '/t', mode: 'RW', source: { type: 'TMPFS' } } as const;
const PERSISTENT = {
  disk: 1,
  persistence: { id: 'db' },
  volume: { containerPath: 'data', mode: 'RW' },
} as const;

describe('volumes', () => {
  const serving = (supportsNesting: boolean): IsolatorDefinition => ({
    ...fakeIsolator('acme/volumes', { update: () => {} }, { supportsNesting }),
    volumes: ['TMPFS'],
  });

  test('are launched with an isolator that serves their kind', async () => {
    const containerizer = await start([serving(true)]);
    await containerizer.launch('web', { ...command, volumes: [TMPFS] });
    await containerizer.launch('web.job', { ...command, volumes: [TMPFS] });
    expect(containerizer.list().map(({ id }) => id)).toEqual(['web', 'web.job']);
  });

  test('are refused in a nested container if the isolator leaves those out, and in a DEBUG one', async () => {
    const containerizer = await start([serving(false)]);
    await containerizer.launch('web', { ...command, volumes: [TMPFS] });
    expect(await rejection(containerizer.launch('web.job', { ...command, volumes: [TMPFS] }))).toMatchObject({
      code: 'VOLUME_UNSUPPORTED',
      hint: expect.stringContaining('volume/tmpfs'),
    });
    const debug = { ...command, class: 'DEBUG' as const, volumes: [TMPFS] };
    expect(await rejection(containerizer.launch('web.look', debug))).toMatchObject({ code: 'DEBUG_VOLUMES' });
  });

  test('an update cannot add persistent ones that nobody serves', async () => {
    const containerizer = await start([serving(true)]);
    await containerizer.launch('web', command);
    const updating = containerizer.update('web', { volumes: [PERSISTENT] });
    expect(await rejection(updating)).toMatchObject({ code: 'VOLUME_UNSUPPORTED' });
    expect(await rejection(containerizer.update('web', {}, { volumes: [] }))).toMatchObject({
      code: 'CONTAINER_CONFIG_INVALID',
    });
  });
});

describe('before anything is created (K4)', () => {
  const bad: [string, string | undefined, unknown, string, RegExp][] = [
    ['id with a slash', 'a/b', command, 'CONTAINER_ID_INVALID', /"\/"/],
    ['id ..', '..', command, 'CONTAINER_ID_INVALID', /empty/],
    ['empty command', 'web', { argv: [] }, 'CONTAINER_CONFIG_INVALID', /argv: the command is empty/],
    [
      'unknown key',
      'web',
      { argv: ['true'], rootFs: '/' },
      'CONTAINER_CONFIG_INVALID',
      /rootFs: unknown key/,
    ],
    [
      'wrong type',
      'web',
      { argv: ['a', 5] },
      'CONTAINER_CONFIG_INVALID',
      /argv\[1\]: expected string; got 5/,
    ],
    [
      'NUL',
      'web',
      { argv: ['a\0b'] },
      'CONTAINER_CONFIG_INVALID',
      /argv\[0\]: a NUL character is not allowed/,
    ],
    [
      '__proto__',
      'web',
      JSON.parse('{"argv":["a"],"environment":{"__proto__":"x"}}'),
      'CONTAINER_CONFIG_INVALID',
      /environment: the key "__proto__"/,
    ],
    [
      'not finite',
      'web',
      { argv: ['a'], resources: { cpus: Infinity } },
      'CONTAINER_CONFIG_INVALID',
      /Infinity/,
    ],
    ['no parent', 'nobody.web', command, 'CONTAINER_UNKNOWN', /nobody/],
    ['DEBUG without a parent', 'web', { argv: ['a'], class: 'DEBUG' }, 'DEBUG_NEEDS_PARENT', /no parent/],
    [
      'a volume that nobody serves',
      'web',
      { argv: ['a'], volumes: [TMPFS] },
      'VOLUME_UNSUPPORTED',
      /no enabled isolator serves volumes of the kind TMPFS/,
    ],
    [
      'a persistent volume that nobody serves',
      'web',
      { argv: ['a'], resources: { volumes: [PERSISTENT] } },
      'VOLUME_UNSUPPORTED',
      /PERSISTENT/,
    ],
  ];
  test.each(bad)('%s is refused', async (_what, id, config, code, message) => {
    const prepared: string[] = [];
    const containerizer = await start([
      fakeIsolator('acme/a', {
        prepare: () => {
          prepared.push('!');
        },
      }),
    ]);
    const error = await rejection(containerizer.launch(id, config as never));
    expect(error).toMatchObject({ code });
    expect(error.message).toMatch(message);
    expect(prepared).toEqual([]);
    expect(filesOf()).toEqual(nothing);
    expect(containerizer.list()).toEqual([]);
  });

  test('what the launcher refuses is refused', async () => {
    kernel.validate = () => {
      throw Object.assign(new Error('no such user'), { code: 'USER_UNKNOWN', kind: 'invalid' });
    };
    const containerizer = await start();
    expect(await rejection(containerizer.launch('web', { ...command, user: 'x' }))).toMatchObject({
      code: 'USER_UNKNOWN',
    });
    expect(filesOf()).toEqual(nothing);
  });

  test('a second container of one id is refused, and the first left alone', async () => {
    const containerizer = await start();
    await containerizer.launch('web', command);
    const before = statSync(directory.join('work/containers/web/sandbox')).ctimeMs;
    expect(await rejection(containerizer.launch('web', { ...command, user: 'x' }))).toMatchObject({
      code: 'CONTAINER_EXISTS',
      kind: 'conflict',
    });
    expect(statSync(directory.join('work/containers/web/sandbox')).ctimeMs).toBe(before);
    await containerizer.destroy('web');
    expect(await rejection(containerizer.launch('web', command))).toMatchObject({ code: 'CONTAINER_EXISTS' });
    await containerizer.remove('web');
    await containerizer.launch('web', command);
  });

  test('an id that another owner of the same workDir has is refused, and its sandbox left alone', async () => {
    const containerizer = await start();
    mkdirSync(directory.join('work/containers/web/sandbox'), { recursive: true });
    expect(await rejection(containerizer.launch('web', command))).toMatchObject({ code: 'SANDBOX_EXISTS' });
    expect(filesOf()).toEqual({ state: [], sandboxes: ['web'] });
  });
});

/** One misbehaving tap between two good ones, in each phase. */
describe('a tap that misbehaves fails its container alone (K2)', () => {
  const nonsenses: Record<string, () => unknown> = {
    throws: () => {
      throw new Error('boom');
    },
    'throws no error': () => {
      throw 'boom';
    },
    rejects: () => Promise.reject(new Error('boom')),
    hangs: () => new Promise(() => {}),
    'returns nonsense': () => 42,
    'resolves to nonsense': () => Promise.resolve({ boom: true }),
    'returns a thenable that throws': () => ({
      // biome-ignore lint/suspicious/noThenProperty: nonsense is the point
      then: () => {
        throw new Error('boom');
      },
    }),
  };
  const settlesTwice = (_c: unknown, ...rest: unknown[]) => {
    const callback = rest.at(-1) as (error?: unknown) => void;
    callback(new Error('boom'));
    callback();
  };

  async function startWith(
    phase: Phase,
    misbehaviour: () => unknown,
    kind: 'tap' | 'tapPromise' | 'tapAsync',
  ) {
    const calls: string[] = [];
    const good = (name: string) =>
      fakeIsolator(name, {
        prepare: () => void calls.push(`prepare ${name}`),
        cleanup: () => void calls.push(`cleanup ${name}`),
        usage: (_c: Container, statistics: Record<string, number>) => {
          statistics.processes = 1;
        },
        status: (_c: Container, status: Record<string, unknown>) => {
          status.extensions = { [name]: 'fine' };
        },
      });
    let isBad = true;
    const bad = fakeIsolator(
      'acme/bad',
      {
        [phase]: (...args: never[]) =>
          isBad ? (misbehaviour as (...a: never[]) => unknown)(...args) : finish(kind, args),
      },
      { kind },
    );
    const timeout = Object.fromEntries(
      ['recover', 'prepare', 'isolate', 'update', 'usage', 'status', 'cleanup'].map((each) => [each, 20]),
    );
    const containerizer = await start([good('acme/first'), bad, good('acme/last')], timeout);
    return { containerizer, calls, mend: () => (isBad = false) };
  }
  const finish = (kind: string, args: readonly unknown[]) => {
    if (kind === 'tapAsync') (args.at(-1) as () => void)();
    return kind === 'tapPromise' ? Promise.resolve() : undefined;
  };
  const names = /acme\/bad.*(PHASE).*container web/s;
  const naming = (phase: string) => new RegExp(names.source.replace('PHASE', phase), 's');

  const cases: [string, () => unknown, 'tap' | 'tapPromise' | 'tapAsync'][] = [
    ...Object.entries(nonsenses).map(
      ([what, call]) => [what, call, 'tapPromise'] as [string, () => unknown, 'tapPromise'],
    ),
    ['throws when tapped synchronously', nonsenses.throws!, 'tap'],
    ['settles twice', settlesTwice as () => unknown, 'tapAsync'],
  ];

  describe.each(['prepare', 'isolate'] as const)('%s', (phase) => {
    test.each(cases)('that %s', async (_what, misbehave, kind) => {
      const { containerizer, calls, mend } = await startWith(phase, misbehave, kind);
      const error = await rejection(containerizer.launch('web', command));
      expect(error.message).toMatch(naming(phase));
      expect(error.code).toMatch(/^TAP_/);
      expect(filesOf()).toEqual(nothing);
      expect(kernel.alive).toEqual([]);
      expect(containerizer.list()).toEqual([]);
      if (phase === 'prepare') expect(calls).toEqual(['prepare acme/first', 'cleanup acme/first']);
      else expect(calls.slice(-2)).toEqual(['cleanup acme/last', 'cleanup acme/first']);
      mend();
      await containerizer.launch('neighbour', command);
    });
  });

  test.each(cases.filter(([what]) => !/hangs|twice/.test(what)))(
    'watch that %s',
    async (_what, misbehave) => {
      const { containerizer } = await startWith('watch', misbehave, 'tap');
      const outcome = await containerizer.launch('web', command).then(
        () => containerizer.wait('web').then(({ message }) => message),
        (error) => error.message,
      );
      expect(outcome).toMatch(naming('watch'));
      expect(kernel.alive).toEqual([]);
    },
  );

  test('watch that reports no limitation', async () => {
    const { containerizer } = await startWith(
      'watch',
      ((_c: Container, report: ReportLimitation) => report(42 as never)) as never,
      'tap',
    );
    expect((await rejection(containerizer.launch('web', command))).message).toMatch(naming('watch'));
  });

  test.each(cases)('update that %s', async (_what, misbehave, kind) => {
    const { containerizer, mend } = await startWith('update', misbehave, kind);
    await containerizer.launch('web', command);
    const error = await rejection(containerizer.update('web', { cpus: 2 }));
    expect(error.message).toMatch(naming('update'));
    expect(containerizer.inspect('web').resources).toEqual({});
    mend();
    await containerizer.update('web', { cpus: 2 }, { cpus: 3 });
    expect(containerizer.inspect('web')).toMatchObject({ resources: { cpus: 2 }, limits: { cpus: 3 } });
  });

  test.each(cases)('usage that %s', async (_what, misbehave, kind) => {
    const { containerizer } = await startWith('usage', misbehave, kind);
    await containerizer.launch('web', { ...command, resources: { mem: 1 } });
    expect(await containerizer.usage('web')).toMatchObject({ processes: 1, mem_limit_bytes: 2 ** 20 });
    expect(log.text).toMatch(naming('usage'));
  });

  test.each(cases)('status that %s', async (_what, misbehave, kind) => {
    const { containerizer } = await startWith('status', misbehave, kind);
    await containerizer.launch('web', command);
    expect(await containerizer.status('web')).toEqual({
      container_id: 'web',
      executor_pid: 1000,
      extensions: { 'acme/first': 'fine', 'acme/last': 'fine' },
    });
    expect(log.text).toMatch(naming('status'));
  });

  test.each(cases)('cleanup that %s', async (_what, misbehave, kind) => {
    const { containerizer, calls, mend } = await startWith('cleanup', misbehave, kind);
    await containerizer.launch('web', command);
    const error = await rejection(containerizer.destroy('web'));
    expect(error).toMatchObject({ code: 'DESTROY_FAILED' });
    expect(error.message).toMatch(naming('cleanup'));
    // The others were called, in reverse, and once.
    expect(calls.slice(-2)).toEqual(['cleanup acme/last', 'cleanup acme/first']);
    expect(containerizer.list()).toMatchObject([
      { state: 'DESTROYING', problem: expect.stringMatching(/acme\/bad/) },
    ]);
    mend();
    expect(await containerizer.destroy('web')).toMatchObject({ reason: 'DESTROYED', signal: 'SIGKILL' });
    expect(calls.filter((call) => call.startsWith('cleanup'))).toHaveLength(2);
  });

  test.each(cases)('recover that %s', async (_what, misbehave, kind) => {
    const { containerizer } = await startWith('recover', misbehave, kind);
    expect(log.text).toMatch(/acme\/bad.*recover/);
    await containerizer.launch('web', command);
  });

  test.each([
    ['argv', 5],
    ['namespaces', { create: [], enter: [{ kind: 'net', pid: 'self' }] }],
  ])("a plan of nonsense is its isolator's: %s", async (key, value) => {
    const containerizer = await start([
      fakeIsolator('acme/bad', {
        prepare: (_c: Container, plan: LaunchPlan) => void Object.assign(plan.data, { [key]: value }),
      }),
    ]);
    expect((await rejection(containerizer.launch('web', command))).message).toMatch(
      new RegExp(`acme/bad.*${key} is nonsense`),
    );
  });

  test('statistics of nonsense are left out', async () => {
    const containerizer = await start([
      fakeIsolator('acme/bad', {
        usage: (_c: Container, statistics: Record<string, unknown>) => {
          Object.assign(statistics, { processes: Number.NaN, threads: 7, disk_statistics: 'much' });
        },
      }),
    ]);
    await containerizer.launch('web', command);
    expect(await containerizer.usage('web')).toEqual({ timestamp: expect.any(Number), threads: 7 });
    expect(log.text).toMatch(/acme\/bad/);
  });

  test('what isolators coded stays their code, with the place added', async () => {
    const denied = Object.assign(new Error('not with us'), {
      code: 'ACME_DENIED',
      kind: 'denied',
      hint: 'ask Acme',
      details: { because: 1 },
    });
    const containerizer = await start([
      fakeIsolator('acme/a', { prepare: () => Promise.reject(denied) }, { kind: 'tapPromise' }),
    ]);
    expect(await rejection(containerizer.launch('web', command))).toMatchObject({
      code: 'ACME_DENIED',
      kind: 'denied',
      hint: 'ask Acme',
      details: { because: 1, isolator: 'acme/a', phase: 'prepare', container: 'web' },
      message: 'acme/a failed in prepare of container web: not with us',
    });
  });
});

describe('a launcher that misbehaves', () => {
  test.each(['fork', 'release'] as const)('%s that fails undoes everything', async (step) => {
    kernel[step] = (): Promise<never> => Promise.reject(new Error('boom'));
    const containerizer = await start();
    const error = await rejection(containerizer.launch('web', command));
    expect(error).toMatchObject({
      code: 'LAUNCHER_FAILED',
      details: { launcher: 'fake', step, container: 'web' },
    });
    expect(filesOf()).toEqual(nothing);
    expect(kernel.alive).toEqual([]);
  });

  test('a fork that hangs is given up, and its process ended when it comes after all', async () => {
    let come: (() => void) | undefined;
    kernel.fork = (container) =>
      new Promise((resolve) => {
        come = () => resolve(kernel.start(container));
      });
    const containerizer = await start([], { fork: 20 });
    expect(await rejection(containerizer.launch('web', command))).toMatchObject({
      code: 'LAUNCHER_TIMED_OUT',
    });
    come!();
    await kernel.of('web').exited;
    expect(kernel.alive).toEqual([]);
  });

  test('a destroy that fails is tried again, and visible meanwhile', async () => {
    let failures = 1;
    const { destroy } = kernel;
    kernel.destroy = (process) => {
      if (failures-- > 0) throw new Error('EBUSY');
      return destroy(process);
    };
    const containerizer = await start();
    await containerizer.launch('web', command);
    expect(await containerizer.destroy('web')).toMatchObject({ reason: 'DESTROYED' });
  });

  test('one that goes on failing is told, and can be tried by hand', async () => {
    const { destroy } = kernel;
    const calls: string[] = [];
    kernel.destroy = () => Promise.reject(new Error('EBUSY'));
    const containerizer = await start([
      fakeIsolator('acme/a', { cleanup: () => void calls.push('cleanup') }),
    ]);
    await containerizer.launch('web', command);
    expect(await rejection(containerizer.destroy('web'))).toMatchObject({ code: 'DESTROY_FAILED' });
    // An isolator's cleanup comes after the last process, never before.
    expect(calls).toEqual([]);
    kernel.destroy = destroy;
    expect(await containerizer.destroy('web')).toMatchObject({ signal: 'SIGKILL' });
    expect(calls).toEqual(['cleanup']);
  });
});

describe('the end', () => {
  test("a parent's processes end also when a child is not undone; its isolators wait for the child's", async () => {
    const cleaned: string[] = [];
    let isBad = true;
    const containerizer = await start([
      fakeIsolator('acme/a', {
        cleanup: ({ id }: Container) => {
          if (id === 'web.in' && isBad) throw new Error('EBUSY');
          cleaned.push(id);
        },
      }),
    ]);
    await containerizer.launch('web', command);
    await containerizer.launch('web.in', command);
    expect(await rejection(containerizer.destroy('web'))).toMatchObject({ code: 'DESTROY_FAILED' });
    expect(kernel.alive).toEqual([]);
    expect(cleaned).toEqual([]);
    isBad = false;
    await containerizer.destroy('web');
    expect(cleaned).toEqual(['web.in', 'web']);
  });

  test('of a transient one that could not be undone the state stays for the next start', async () => {
    const cleaned: string[] = [];
    let isBad = true;
    const isolator = fakeIsolator('acme/a', {
      cleanup: ({ id }: Container) => {
        if (isBad) throw new Error('EBUSY');
        cleaned.push(id);
      },
    });
    const first = await start([isolator], {}, { transient: true });
    await first.launch('web', command);
    await kill(first);
    expect(filesOf().sandboxes).toEqual(['web']);
    expect(readdirSync(directory.join('run/runs'))).toHaveLength(1);
    isBad = false;
    // Its owner is this very process, so it counts as alive; as if that had died:
    const [run] = readdirSync(directory.join('run/runs'));
    rmSync(directory.join('run/runs', run!, 'owner'));
    const second = await start([isolator], {}, { transient: true });
    expect(cleaned).toEqual(['web']);
    expect(filesOf().sandboxes).toEqual([]);
    await kill(second);
    expect(readdirSync(directory.join('run/runs'))).toEqual([]);
  });

  test('concurrent destroys share one', async () => {
    const cleanups: number[] = [];
    const containerizer = await start([fakeIsolator('acme/a', { cleanup: () => void cleanups.push(1) })]);
    await containerizer.launch('web', command);
    const [one, other, waited] = await Promise.all([
      containerizer.destroy('web'),
      containerizer.destroy('web'),
      containerizer.wait('web'),
    ]);
    expect(one).toBe(other);
    expect(one).toBe(waited);
    expect(cleanups).toHaveLength(1);
    expect(await containerizer.destroy('web')).toBe(one);
  });

  test.each(['prepare', 'isolate'] as const)('a destroy during %s ends the launch', async (phase) => {
    let reach: () => void = () => {};
    let goOn: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const containerizer = await start([
      fakeIsolator(
        'acme/slow',
        {
          [phase]: () => {
            reach();
            return new Promise<void>((resolve) => {
              goOn = resolve;
            });
          },
        },
        { kind: 'tapPromise' },
      ),
    ]);
    const launching = rejection(containerizer.launch('web', command));
    await reached;
    const destroying = containerizer.destroy('web');
    goOn();
    expect(await launching).toMatchObject({ code: 'DESTROYED_DURING_LAUNCH' });
    expect(await destroying).toEqual({ reason: 'DESTROYED' });
    expect(filesOf()).toEqual(nothing);
    expect(kernel.alive).toEqual([]);
  });

  test('a destroy while the command is being executed ends it there', async () => {
    let reach: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    kernel.release = async (process) => {
      reach();
      await process.exited;
      throw new Error('ended before exec');
    };
    const containerizer = await start();
    const launching = rejection(containerizer.launch('web', command));
    await reached;
    expect(await containerizer.destroy('web')).toEqual({ reason: 'DESTROYED' });
    expect(await launching).toMatchObject({ code: 'DESTROYED_DURING_LAUNCH' });
  });

  test('the first limitation wins', async () => {
    let report: ReportLimitation | undefined;
    const containerizer = await start([
      fakeIsolator('acme/a', {
        watch: (_c: Container, r: ReportLimitation) => {
          report = r;
        },
      }),
    ]);
    await containerizer.launch('web', command);
    report!({ reason: 'REASON_DISK', message: 'too much', resources: { disk: 5 } });
    report!({ reason: 'REASON_MEMORY', message: 'later' });
    expect(await containerizer.wait('web')).toEqual({
      status: 9,
      signal: 'SIGKILL',
      reason: 'REASON_DISK',
      message: 'too much',
      limitation: { reason: 'REASON_DISK', message: 'too much', resources: { disk: 5 } },
    });
  });

  test('a limitation that is known only after the end of the process is why it ended', async () => {
    let report: ReportLimitation | undefined;
    const containerizer = await start([
      fakeIsolator('acme/a', {
        watch: (_c: Container, r: ReportLimitation) => {
          report = r;
        },
        cleanup: () => report!({ reason: 'REASON_MEMORY', message: 'too much' }),
      }),
    ]);
    await containerizer.launch('killed', command);
    kernel.of('killed').exit(9);
    expect(await containerizer.wait('killed')).toEqual({
      status: 9,
      signal: 'SIGKILL',
      reason: 'REASON_MEMORY',
      message: 'too much',
      limitation: { reason: 'REASON_MEMORY', message: 'too much' },
    });
    await containerizer.launch('destroyed', command);
    expect(await containerizer.destroy('destroyed')).toMatchObject({ reason: 'DESTROYED' });
  });

  test('a termination is kept until it is removed', async () => {
    const containerizer = await start();
    await containerizer.launch('web', command);
    expect(await rejection(containerizer.remove('web'))).toMatchObject({ code: 'CONTAINER_NOT_ENDED' });
    kernel.of('web').exit(0);
    await containerizer.wait('web');
    expect(await containerizer.wait('web')).toMatchObject({ exitCode: 0 });
    expect(containerizer.signal('web', 15)).toBe(false);
    await containerizer.remove('web');
    expect(await rejection(containerizer.wait('web'))).toMatchObject({
      code: 'CONTAINER_UNKNOWN',
      kind: 'not-found',
    });
    expect(filesOf()).toEqual(nothing);
  });

  describe('that the launcher has on disk', () => {
    const record = () => JSON.parse(readFileSync(directory.join('run/containers/web/record.json'), 'utf8'));
    const ended = async (containerizer: Containerizer) => {
      await containerizer.launch('web', command);
      kernel.of('web').endIsRecorded = true;
      kernel.of('web').exit(3 << 8);
      return containerizer.wait('web');
    };

    test('is told at once and written a moment later', async () => {
      await ended(await start());
      expect(record()).not.toHaveProperty('termination');
      await new Promise(setImmediate);
      expect(record().termination).toMatchObject({ exitCode: 3, reason: 'EXITED' });
    });

    test('is written before the containerizer is closed', async () => {
      const containerizer = await start();
      await ended(containerizer);
      await containerizer.close();
      expect(record().termination).toMatchObject({ exitCode: 3 });
    });

    test('is never written if the container is removed before', async () => {
      const containerizer = await start();
      await ended(containerizer);
      await containerizer.remove('web');
      await new Promise(setImmediate);
      expect(filesOf()).toEqual(nothing);
      expect(log.lines).toEqual([]);
    });

    test('is found again by the next start, also if it was not written', async () => {
      const first = await start();
      const termination = await ended(first);
      const unwritten = record();
      await kill(first);
      writeFileSync(directory.join('run/containers/web/record.json'), JSON.stringify(unwritten));
      expect(await (await start()).wait('web')).toEqual(termination);
    });

    test('is on disk before it is told where there is more to tell than the status', async () => {
      let report: ReportLimitation = () => {};
      const watch = (_container: Container, given: ReportLimitation) => {
        report = given;
      };
      const containerizer = await start([fakeIsolator('acme/limit', { watch })]);
      await containerizer.launch('web', command);
      kernel.of('web').endIsRecorded = true;
      report({ reason: 'ACME', message: 'too much' });
      await containerizer.wait('web');
      expect(record().termination).toMatchObject({ reason: 'ACME', message: 'too much' });
    });
  });

  describe('the plan of a launch', () => {
    const fileOf = (name: string) => directory.join(`run/containers/web/${name}`);
    const read = (name: string) => JSON.parse(readFileSync(fileOf(name), 'utf8'));
    const startWith = (isolate: () => void) => start([fakeIsolator('acme/a', { isolate })]);

    test('is on disk once the launch is answered, and not before: only what undoes it is', async () => {
      let pending: unknown;
      const containerizer = await startWith(() => {
        pending = read('record.pending.json');
      });
      await containerizer.launch('web', command);
      expect(pending).toMatchObject({ id: 'web', pid: kernel.of('web').pid });
      expect(pending).not.toHaveProperty('plan');
      expect(read('record.json').plan).toMatchObject({ argv: command.argv });
      expect(existsSync(fileOf('record.pending.json'))).toBe(false);
    });

    test('is done without where there is no room for it: the container goes on, also after a restart', async () => {
      const containerizer = await startWith(() =>
        setFailpoint('checkpoint.written', { action: 'throw', times: 1 }),
      );
      await containerizer.launch('web', command);
      expect(read('record.json')).not.toHaveProperty('plan');
      expect(existsSync(fileOf('record.pending.json'))).toBe(false);
      expect(log.lines).toMatchObject([{ level: 'warn', message: 'the plan of a launch is not on disk' }]);
      await kill(containerizer);
      expect((await start()).list()).toMatchObject([{ id: 'web', state: 'RUNNING' }]);
    });

    test('comes with the end of a command that was over before its launch was answered', async () => {
      kernel.release = async (process) => {
        process.endIsRecorded = true;
        process.exit(0);
        await process.exited;
      };
      const destroy = jest.spyOn(kernel, 'destroy');
      const containerizer = await start();
      await containerizer.launch('web', command);
      await containerizer.wait('web');
      await new Promise(setImmediate);
      expect(read('record.json')).toMatchObject({
        plan: { argv: command.argv },
        termination: { exitCode: 0 },
      });
      // Nothing was left of it that could be ended.
      expect(destroy).not.toHaveBeenCalled();
    });
  });

  test('a sandbox can be kept', async () => {
    const containerizer = await start();
    await containerizer.launch('web', command);
    await containerizer.destroy('web');
    await containerizer.remove('web', { keepSandbox: true });
    expect(filesOf()).toEqual({ state: [], sandboxes: ['web'] });
    expect(await rejection(containerizer.launch('web', command))).toMatchObject({ code: 'SANDBOX_EXISTS' });
    expect(filesOf()).toEqual({ state: [], sandboxes: ['web'] });
  });
});

describe('nested containers', () => {
  test('of class DEBUG have the variables and the directory of their parent, unless they say otherwise', async () => {
    const containerizer = await start([
      fakeIsolator('acme/a', {
        prepare: (container: Container, plan: LaunchPlan) => plan.setEnvironment('WHO', container.id),
      }),
    ]);
    const environment = { A: '1', B: '2', PATH: '/parent' };
    await containerizer.launch('web', { argv: ['sh'], environment, workingDirectory: '/srv' });
    const planOf = async (id: string, config: Partial<ContainerConfig>) => {
      await containerizer.launch(id, { argv: ['sh'], ...config });
      return containerizer.inspect(id).plan!;
    };
    const looks = await planOf('web.look', { class: 'DEBUG', environment: { B: '3' } });
    expect(looks.environment).toEqual({ WHO: 'web.look', A: '1', B: '3', PATH: '/parent' });
    expect(looks.workingDirectory).toBe('/srv');
    expect((await planOf('web.there', { class: 'DEBUG', workingDirectory: '/tmp' })).workingDirectory).toBe(
      '/tmp',
    );
    const own = await planOf('web.own', {});
    expect(own.environment).toEqual({ WHO: 'web.own', PATH: expect.stringContaining('/usr/bin') });
    expect(own.workingDirectory).toBeUndefined();
  });

  test('live in their parent, and end with it, first', async () => {
    const ended: string[] = [];
    const containerizer = await start([
      fakeIsolator('acme/a', { cleanup: ({ id }: Container) => void ended.push(id) }),
    ]);
    const parent = await containerizer.launch('web', command);
    const child = await containerizer.launch('web.debug', command);
    await containerizer.launch('web.debug.inner', command);
    expect(child.sandbox).toBe(`${parent.sandbox}/containers/debug`);
    expect(existsSync(directory.join('run/containers/web/containers/debug/record.json'))).toBe(true);
    await containerizer.destroy('web');
    expect(ended).toEqual(['web.debug.inner', 'web.debug', 'web']);
    expect(await containerizer.wait('web.debug')).toMatchObject({ reason: 'PARENT_ENDED' });
    await containerizer.remove('web');
    expect(containerizer.list()).toEqual([]);
    expect(filesOf()).toEqual(nothing);
  });

  test('one that ended can be removed alone; its end does not touch the parent', async () => {
    const containerizer = await start();
    await containerizer.launch('web', command);
    await containerizer.launch('web.job', command);
    kernel.of('web.job').exit(256);
    expect(await containerizer.wait('web.job')).toMatchObject({ exitCode: 1 });
    await containerizer.remove('web.job');
    expect(containerizer.list()).toMatchObject([{ id: 'web', state: 'RUNNING' }]);
    await containerizer.launch('web.job', command);
  });

  test('isolators that do not support nesting are left out', async () => {
    const seen: string[] = [];
    const containerizer = await start([
      fakeIsolator(
        'acme/a',
        {
          prepare: ({ id }: Container) => void seen.push(id),
          cleanup: ({ id }: Container) => void seen.push(id),
        },
        { supportsNesting: false },
      ),
    ]);
    await containerizer.launch('web', command);
    await containerizer.launch('web.debug', command);
    await containerizer.destroy('web');
    expect(seen).toEqual(['web', 'web']);
  });

  test('a parent that ends refuses new ones', async () => {
    const containerizer = await start();
    await containerizer.launch('web', command);
    await containerizer.destroy('web');
    expect(await rejection(containerizer.launch('web.debug', command))).toMatchObject({
      code: 'PARENT_NOT_RUNNING',
    });
  });
});

/** A containerizer that was killed: its directory is free again, nothing else has happened. */
async function kill(containerizer: Containerizer): Promise<void> {
  await containerizer.close();
  open = open.filter((each) => each !== containerizer);
}

describe('recovery', () => {
  test('what runs goes on, with its isolators and their memory', async () => {
    let recovery: Recovery | undefined;
    const isolator = fakeIsolator('acme/a', {
      recover: (r: Recovery) => {
        recovery = r;
      },
    });
    const first = await start([isolator]);
    await first.launch('web', { ...command, resources: { cpus: 1 } });
    await first.launch('web.debug', command);
    await first.update('web', { cpus: 2 });
    await kill(first);
    const second = await start([isolator]);
    expect(second.list()).toMatchObject([
      { id: 'web', state: 'RUNNING', pid: 1000 },
      { id: 'web.debug', state: 'RUNNING', pid: 1001 },
    ]);
    expect(second.inspect('web')).toMatchObject({ resources: { cpus: 2 }, plan: { argv: ['true'] } });
    expect(recovery?.containers.map(({ id, pid, parentPid }) => [id, pid, parentPid])).toEqual([
      ['web', 1000, undefined],
      ['web.debug', 1001, 1000],
    ]);
    kernel.of('web').exit(7 << 8);
    expect(await second.wait('web')).toMatchObject({ exitCode: 7, reason: 'EXITED' });
    expect(await second.wait('web.debug')).toMatchObject({ reason: 'PARENT_ENDED' });
  });

  test('what ended meanwhile has its true status, or says that it is lost', async () => {
    const first = await start();
    await first.launch('told', command);
    await first.launch('lost', command);
    await kill(first);
    kernel.of('told').exit(5 << 8);
    const { adopt } = kernel;
    kernel.adopt = (container, state) => (container.id === 'lost' ? undefined : adopt(container, state));
    const second = await start();
    expect(await second.wait('told')).toMatchObject({ exitCode: 5, reason: 'EXITED' });
    expect(await second.wait('lost')).toMatchObject({
      reason: 'LOST',
      message: expect.stringMatching(/gone/),
    });
  });

  test('terminations stay answerable', async () => {
    const first = await start();
    await first.launch('web', command);
    kernel.of('web').exit(1 << 8);
    const termination = await first.wait('web');
    await kill(first);
    const second = await start();
    expect(await second.wait('web')).toEqual(termination);
    await second.remove('web');
    expect(filesOf()).toEqual(nothing);
  });

  const steps = [
    'launch.recorded',
    'launch.sandbox',
    'launch.prepared',
    'launch.forked',
    'launch.checkpointed',
    'launch.isolated',
    'launch.watched',
    'launch.released',
    'checkpoint.written',
  ];
  test.each(steps)('a failure at %s leaves nothing (K3)', async (step) => {
    const cleaned: string[] = [];
    const isolator = fakeIsolator('acme/a', {
      prepare: () => undefined,
      cleanup: ({ id }: Container) => void cleaned.push(id),
    });
    for (const action of ['throw', 'nonsense'] as const) {
      const containerizer = await start([isolator]);
      setFailpoint(step, { action, times: 1 });
      await rejection(containerizer.launch('web', command));
      expect(filesOf()).toEqual(nothing);
      expect(kernel.alive).toEqual([]);
      await kill(containerizer);
    }
  });

  test('what is no container is left alone', async () => {
    await kill(await start());
    writeFileSync(directory.join('run/containers/a-file'), '');
    mkdirSync(directory.join('run/containers/a b'));
    const second = await start();
    expect(second.list()).toEqual([]);
    expect(readdirSync(directory.join('run/containers'))).toEqual(['a b', 'a-file']);
  });

  test('an orphan is cleaned up by every isolator', async () => {
    const cleaned: string[] = [];
    let orphans: readonly string[] = [];
    const isolator = fakeIsolator('acme/a', {
      recover: (recovery: Recovery) => {
        orphans = recovery.orphans;
      },
      cleanup: ({ id }: Container) => void cleaned.push(id),
    });
    await kill(await start([isolator]));
    mkdirSync(directory.join('run/containers/web'), { recursive: true });
    const second = await start([isolator]);
    expect(orphans).toEqual(['web']);
    expect(cleaned).toEqual(['web']);
    expect(second.list()).toEqual([]);
    expect(filesOf()).toEqual(nothing);
  });

  test('the launcher forgets what it made for a launch that was cut off before that was written down', async () => {
    const forgotten: string[] = [];
    kernel.forget = ({ id }) => void forgotten.push(id);
    await kill(await start());
    mkdirSync(directory.join('run/containers/web'), { recursive: true });
    await start();
    expect(forgotten).toEqual(['web']);
  });

  test('what ended a container by way of its launcher is why it ended', async () => {
    const containerizer = await start();
    await containerizer.launch('web', command);
    const cause = { reason: 'SUPERVISOR_KILLED', message: 'its supervisor was killed' };
    Object.assign(kernel.of('web'), { cause });
    kernel.of('web').exit(undefined);
    expect(await containerizer.wait('web')).toEqual(cause);
  });

  test('a container whose isolator is not enabled any more goes on, and says so; nothing of it is undone', async () => {
    const first = await start([fakeIsolator('acme/a', { cleanup: () => undefined })]);
    await first.launch('web', command);
    await kill(first);
    const second = await start();
    expect(second.list()).toMatchObject([{ state: 'RUNNING', problem: expect.stringMatching(/acme\/a/) }]);
    expect(await rejection(second.destroy('web'))).toMatchObject({ code: 'DESTROY_FAILED' });
    await kill(second);
    const third = await start([fakeIsolator('acme/a', { cleanup: () => undefined })]);
    expect(await third.wait('web')).toMatchObject({ reason: 'EXITED', signal: 'SIGKILL' });
  });

  test('a container that cannot be reached goes on, and nothing of it is undone', async () => {
    const cleaned: string[] = [];
    const isolator = fakeIsolator('acme/a', { cleanup: ({ id }: Container) => void cleaned.push(id) });
    const first = await start([isolator]);
    await first.launch('web', command);
    await kill(first);
    const { adopt } = kernel;
    kernel.adopt = () => {
      throw new Error('EIO');
    };
    const second = await start([isolator]);
    expect(second.list()).toMatchObject([
      { state: 'RUNNING', problem: expect.stringMatching(/taken up: EIO/) },
    ]);
    await second.update('web', { cpus: 2 });
    expect(await rejection(second.destroy('web'))).toMatchObject({ code: 'DESTROY_FAILED' });
    expect(cleaned).toEqual([]);
    await kill(second);
    kernel.adopt = adopt;
    const third = await start([isolator]);
    expect(await third.destroy('web')).toMatchObject({ signal: 'SIGKILL' });
    expect(cleaned).toEqual(['web']);
  });

  test('a container that was to end with its owner is ended', async () => {
    const first = await start();
    await first.launch('web', { ...command, dieWithParent: true });
    await kill(first);
    const second = await start();
    expect(await second.wait('web')).toMatchObject({ signal: 'SIGKILL', reason: 'DESTROYED' });
  });
});

describe('a second owner', () => {
  test('is refused by name, until the first has gone', async () => {
    const first = await start();
    expect(await rejection(start())).toMatchObject({
      code: 'DIRECTORY_IN_USE',
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await kill(first);
    await start();
  });

  test('transient ones live beside it, and leave nothing', async () => {
    const agent = await start();
    const run = await start([], {}, { transient: true });
    await run.launch('job', command);
    expect(run.inspect('job').config.dieWithParent).toBe(true);
    expect(agent.list()).toEqual([]);
    await kill(run);
    expect(kernel.alive).toEqual([]);
    expect(readdirSync(directory.join('run/runs'))).toEqual([]);
    expect(filesOf()).toEqual(nothing);
  });
});

describe('a reload', () => {
  test('applies to containers launched from then on', async () => {
    const calls: string[] = [];
    const isolator = (name: string) =>
      fakeIsolator(name, {
        prepare: ({ id }: Container) => void calls.push(`prepare ${id} ${name}`),
        cleanup: ({ id }: Container) => void calls.push(`cleanup ${id} ${name}`),
      });
    const containerizer = await start([isolator('acme/old')]);
    await containerizer.launch('before', command);
    await containerizer.reloadWith(
      fakeGeneration(kernel, [isolator('acme/new')]),
      fakeConfiguration(directory),
    );
    await containerizer.launch('after', command);
    await containerizer.destroy('before');
    await containerizer.destroy('after');
    expect(calls).toEqual([
      'prepare before acme/old',
      'prepare after acme/new',
      'cleanup before acme/old',
      'cleanup after acme/new',
    ]);
  });

  test('is what the configuration is from then on', async () => {
    const containerizer = await start();
    const next = fakeConfiguration(directory);
    await containerizer.reloadWith(fakeGeneration(kernel, []), next);
    expect(containerizer.configuration).toBe(next);
  });

  test('cannot move the state', async () => {
    const containerizer = await start();
    const moved = fakeConfiguration(directory, {}, { workDir: directory.join('elsewhere') });
    expect(await rejection(containerizer.reloadWith(fakeGeneration(kernel, []), moved))).toMatchObject({
      code: 'CONFIG_INVALID',
    });
    await containerizer.launch('web', command);
  });
});

test('a record on disk says what recovery needs', async () => {
  const containerizer = await start([fakeIsolator('acme/a', {})]);
  await containerizer.launch('web', command);
  expect(JSON.parse(readFileSync(directory.join('run/containers/web/record.json'), 'utf8'))).toMatchObject({
    version: 1,
    id: 'web',
    pid: 1000,
    launcher: 'fake',
    launcherState: { pid: 1000 },
    isolation: ['acme/a'],
    plan: { argv: ['true'] },
  });
});

test('nothing is launched or reloaded once it is closed', async () => {
  const containerizer = await start();
  await kill(containerizer);
  const reloading = containerizer.reloadWith(fakeGeneration(kernel, []), fakeConfiguration(directory));
  expect(await rejection(reloading)).toMatchObject({ code: 'CONTAINERIZER_CLOSED' });
  expect(await rejection(containerizer.launch('web', command))).toMatchObject({
    code: 'CONTAINERIZER_CLOSED',
  });
});
