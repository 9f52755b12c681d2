import { CaissonError, withCause } from '@caisson/plugin-sdk';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FakeAgent } from '../testing/fake-agent.js';

let agent: FakeAgent;
beforeEach(() => {
  agent = new FakeAgent();
});
afterEach(() => agent.close());

const id = (value: string, parent?: object) => ({ container_id: { value, ...(parent && { parent }) } });
const web = id('web');
const command = { value: 'true' };
const volume = (disk: object = {}) => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 4 },
  reservations: [{ type: 'DYNAMIC', role: 'ads' }],
  disk: { persistence: { id: 'db' }, volume: { container_path: 'data', mode: 'RW' }, ...disk },
});
const launch = (more: object = {}) => agent.call('LAUNCH_CONTAINER', { ...web, command, ...more });
/** What the core was asked to launch. */
const launched = () => agent.containers.calls.findLast(([name]) => name === 'launch')?.slice(1);

describe('LAUNCH_CONTAINER', () => {
  test('200 and an empty body once it was launched, 202 if there is one', async () => {
    expect(await launch()).toMatchObject({ status: 200, body: undefined });
    expect(await launch()).toMatchObject({ status: 202, body: { error: { code: 'CONTAINER_EXISTS' } } });
  });

  test.each<[string, object, object]>([
    ['a shell command', { command: { value: 'a b' } }, { argv: ['/bin/sh', '-c', 'a b'] }],
    [
      'arguments are for no shell',
      { command: { value: 'a', arguments: ['x'] } },
      { argv: ['/bin/sh', '-c', 'a'] },
    ],
    ['a program', { command: { value: '/bin/ls', shell: false } }, { argv: ['/bin/ls'] }],
    [
      'argv[0] is an argument',
      { command: { value: 'ls', shell: false, arguments: ['ls', '-l'] } },
      { argv: ['ls', '-l'] },
    ],
    [
      'another argv[0]',
      { command: { value: '/bin/ls', shell: false, arguments: ['l', 'x'] } },
      { argv: ['l', 'x'], executable: '/bin/ls' },
    ],
    ['a user', { command: { ...command, user: 'nobody' } }, { user: 'nobody' }],
    [
      'variables',
      { command: { ...command, environment: { variables: [{ name: 'A', value: 'b' }] } } },
      { environment: { A: 'b' } },
    ],
    [
      'a secret',
      {
        command: {
          ...command,
          environment: {
            variables: [{ name: 'A', type: 'SECRET', secret: { type: 'VALUE', value: { data: 'aGk=' } } }],
          },
        },
      },
      { environment: { A: 'hi' } },
    ],
    [
      'resources, which add up',
      {
        resources: [
          { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 } },
          { name: 'cpus', type: 'SCALAR', scalar: { value: 0.2 } },
          { name: 'mem', type: 'SCALAR', scalar: { value: 64 } },
        ],
      },
      { resources: { cpus: 0.3, mem: 64 } },
    ],
    [
      'persistent volumes, beside the disk of the sandbox',
      {
        resources: [
          { name: 'disk', type: 'SCALAR', scalar: { value: 3 } },
          volume(),
          volume({ source: { type: 'PATH', path: { root: '/mnt' } } }),
        ],
      },
      {
        resources: {
          disk: 3,
          volumes: [
            {
              disk: 4,
              persistence: { id: 'db' },
              volume: { containerPath: 'data', mode: 'RW' },
              role: 'ads',
            },
            {
              disk: 4,
              persistence: { id: 'db' },
              volume: { containerPath: 'data', mode: 'RW' },
              source: { type: 'PATH', root: '/mnt' },
              role: 'ads',
            },
          ],
        },
      },
    ],
    ['limits', { limits: { cpus: { value: 2 }, mem: { value: 256 } } }, { limits: { cpus: 2, mem: 256 } }],
    [
      'capabilities',
      {
        container: {
          type: 'MESOS',
          linux_info: {
            effective_capabilities: { capabilities: ['CHOWN'] },
            bounding_capabilities: { capabilities: ['CHOWN', 'KILL'] },
          },
        },
      },
      { capabilities: { effective: ['CHOWN'], bounding: ['CHOWN', 'KILL'] } },
    ],
    [
      "the host's pid namespace",
      { container: { linux_info: { share_pid_namespace: true } } },
      { sharePidNamespace: true },
    ],
    [
      'limits of the kernel',
      {
        container: {
          rlimit_info: { rlimits: [{ type: 'RLMT_NOFILE', hard: 20, soft: 10 }, { type: 'RLMT_CORE' }] },
        },
      },
      { rlimits: { NOFILE: { soft: 10, hard: 20 }, CORE: { soft: 'unlimited', hard: 'unlimited' } } },
    ],
    [
      'a terminal',
      { container: { tty_info: { window_size: { rows: 24, columns: 80 } } } },
      { stdio: 'terminal', windowSize: { rows: 24, columns: 80 } },
    ],
    ['a terminal of any size', { container: { tty_info: {} } }, { stdio: 'terminal' }],
    [
      'pipes',
      { command: undefined, config: { argv: ['sh'], stdio: 'pipes' } },
      { argv: ['sh'], stdio: 'pipes' },
    ],
    [
      'a configuration of the core',
      { command: undefined, config: { argv: ['sh'], rootfs: '/x', init: true } },
      { argv: ['sh'], rootfs: '/x', init: true },
    ],
  ])('takes %s', async (_what, message, config) => {
    expect(await launch(message)).toMatchObject({ status: 200 });
    expect(launched()).toMatchObject(['web', config]);
  });

  test.each<[string, object, string]>([
    ['an id with a dot', id('a.b'), 'CONTAINER_ID_INVALID'],
    ['an empty id', id(''), 'CONTAINER_ID_INVALID'],
    ['an id with a slash', id('../x'), 'CONTAINER_ID_INVALID'],
    ['no command', { command: undefined }, 'CALL_INVALID'],
    ['an empty command', { command: {} }, 'CALL_INVALID'],
    ['an unknown value of an enum', { container: { type: 'LXC' } }, 'CALL_INVALID'],
    [
      'a variable without value',
      { command: { ...command, environment: { variables: [{ name: 'A' }] } } },
      'CALL_INVALID',
    ],
    [
      'a secret without secret',
      { command: { ...command, environment: { variables: [{ name: 'A', type: 'SECRET' }] } } },
      'CALL_INVALID',
    ],
    [
      'a secret with NUL',
      {
        command: {
          ...command,
          environment: {
            variables: [{ name: 'A', type: 'SECRET', secret: { type: 'VALUE', value: { data: 'AAA=' } } }],
          },
        },
      },
      'CALL_INVALID',
    ],
    [
      'a reference to a secret',
      {
        command: {
          ...command,
          environment: { variables: [{ name: 'A', type: 'SECRET', secret: { type: 'REFERENCE' } }] },
        },
      },
      'UNSUPPORTED_FIELD',
    ],
    ['things to fetch', { command: { ...command, uris: [{ value: 'http://x' }] } }, 'UNSUPPORTED_FIELD'],
    ['a Docker container', { container: { type: 'DOCKER' } }, 'UNSUPPORTED_FIELD'],
    ['a volume without a path', { container: { volumes: [{}] } }, 'CALL_INVALID'],
    [
      'a volume of an image',
      { container: { volumes: [{ mode: 'RO', container_path: '/x', image: {} }] } },
      'UNSUPPORTED_FIELD',
    ],
    ['an image', { container: { mesos: { image: {} } } }, 'UNSUPPORTED_FIELD'],
    [
      'a terminal of an impossible size',
      { container: { tty_info: { window_size: { rows: -1, columns: 80 } } } },
      'CALL_INVALID',
    ],
    [
      'a fraction of a gpu',
      { resources: [{ name: 'gpus', type: 'SCALAR', scalar: { value: 0.5 } }] },
      'UNSUPPORTED_FIELD',
    ],
    [
      'a volume that is none',
      { resources: [{ name: 'disk', type: 'SCALAR', scalar: { value: 1 }, disk: {} }] },
      'UNSUPPORTED_FIELD',
    ],
    ['a volume on a block device', { resources: [volume({ source: { type: 'RAW' } })] }, 'UNSUPPORTED_FIELD'],
    [
      'reserved resources',
      { resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 }, role: 'x' }] },
      'UNSUPPORTED_FIELD',
    ],
    [
      'negative resources',
      { resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: -1 } }] },
      'CALL_INVALID',
    ],
    [
      'a limit for one side only',
      { container: { rlimit_info: { rlimits: [{ type: 'RLMT_NOFILE', hard: 1 }] } } },
      'CALL_INVALID',
    ],
    [
      'shared cgroups without a parent',
      { container: { linux_info: { share_cgroups: true } } },
      'CALL_INVALID',
    ],
    ['two descriptions', { config: { argv: ['x'] } }, 'CALL_INVALID'],
    [
      'an unknown key of a configuration',
      { command: undefined, config: { argv: ['x'], nope: 1 } },
      'CALL_INVALID',
    ],
    [
      "the agent's own stdio",
      { command: undefined, config: { argv: ['x'], stdio: 'inherit' } },
      'UNSUPPORTED_FIELD',
    ],
    [
      'an end with the agent',
      { command: undefined, config: { argv: ['x'], dieWithParent: true } },
      'UNSUPPORTED_FIELD',
    ],
    [
      'resources at the second level of nesting',
      { ...id('c', { value: 'b', parent: { value: 'a' } }), limits: {} },
      'CALL_INVALID',
    ],
  ])('refuses %s with 400', async (_what, message, code) => {
    expect(await launch(message)).toMatchObject({ status: 400, body: { error: { code } } });
    expect(agent.containers.known.size).toBe(0);
  });

  test.each([
    ['invalid', 400],
    ['failed', 400],
    ['denied', 400],
    ['timeout', 400],
    ['unsupported', 400],
    ['not-found', 400],
    ['exhausted', 500],
  ] as const)('a failure of the kind %s is a %i that says where it failed', async (kind, status) => {
    const details = { isolator: 'acme/tally', phase: 'prepare', errno: 'ENOSPC' };
    const error = new CaissonError({ code: 'ACME', kind, message: 'm', hint: 'h', details });
    agent.containers.failure = withCause(error, new Error('inside'));
    expect(await launch()).toMatchObject({
      status,
      body: { error: { code: 'ACME', kind, message: 'm', hint: 'h', details } },
    });
  });
});

describe('a container that runs', () => {
  beforeEach(() => launch());

  test('WAIT_CONTAINER answers once it has ended, and afterwards', async () => {
    const waiting = agent.call('WAIT_CONTAINER', web);
    await new Promise(setImmediate);
    const limitation = {
      reason: 'REASON_CONTAINER_LIMITATION_DISK',
      message: 'too much',
      resources: { disk: 1 },
    };
    agent.containers.end('web', { status: 9, signal: 'SIGKILL', ...limitation, limitation });
    const expected = {
      status: 200,
      body: {
        type: 'WAIT_CONTAINER',
        wait_container: {
          exit_status: 9,
          state: 'TASK_FAILED',
          reason: 'REASON_CONTAINER_LIMITATION_DISK',
          message: 'too much',
          limitation: { resources: [{ name: 'disk', type: 'SCALAR', scalar: { value: 1 } }] },
        },
      },
    };
    expect(await waiting).toMatchObject(expected);
    expect(await agent.call('WAIT_CONTAINER', web)).toMatchObject(expected);
  });

  test('no more waiters than configured; one that leaves makes room', async () => {
    agent.context.settings = {
      ...agent.context.settings,
      limits: { ...agent.context.settings.limits, waiters: 1 },
    };
    await agent.app.listen({ port: 0, host: '127.0.0.1' });
    const address = agent.app.server.address() as { port: number };
    const leaving = new AbortController();
    const first = fetch(`http://127.0.0.1:${address.port}/api/v1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'WAIT_CONTAINER', wait_container: web }),
      signal: leaving.signal,
    }).catch(() => {});
    const until = async (count: number) => {
      while (agent.context.metrics.waiters !== count) await new Promise(setImmediate);
    };
    await until(1);
    expect(await agent.call('WAIT_CONTAINER', web)).toMatchObject({
      status: 503,
      body: { error: { code: 'TOO_BUSY' } },
    });
    leaving.abort();
    await first;
    await until(0);
  });

  test('KILL_CONTAINER sends SIGKILL, or the signal given; 404 once it has ended', async () => {
    expect(await agent.call('KILL_CONTAINER', web)).toMatchObject({ status: 200, body: undefined });
    await agent.call('KILL_CONTAINER', { ...web, signal: 15 });
    expect(agent.containers.calls).toEqual(
      expect.arrayContaining([
        ['signal', 'web', 9],
        ['signal', 'web', 15],
      ]),
    );
    expect(await agent.call('KILL_CONTAINER', { ...web, signal: 65 })).toMatchObject({ status: 400 });
    agent.containers.end('web', { reason: 'EXITED' });
    expect(await agent.call('KILL_CONTAINER', web)).toMatchObject({ status: 404 });
  });

  test('STOP_CONTAINER: a signal, then after the grace period the end', async () => {
    const grace_period = { nanoseconds: 1e6 };
    expect(await agent.call('STOP_CONTAINER', { ...web, grace_period })).toMatchObject({
      status: 200,
      body: { stop_container: { exit_status: 9, cause: 'DESTROYED' } },
    });
    expect(agent.containers.calls.slice(1)).toEqual([
      ['signal', 'web', 15],
      ['destroy', 'web'],
    ]);
  });

  test('STOP_CONTAINER does not destroy what ends by itself', async () => {
    const stopping = agent.call('STOP_CONTAINER', { ...web, signal: 2 });
    await new Promise(setImmediate);
    agent.containers.end('web', { status: 0, exitCode: 0, reason: 'EXITED' });
    expect(await stopping).toMatchObject({ body: { stop_container: { exit_status: 0, exit_code: 0 } } });
    expect(agent.containers.calls.slice(1)).toEqual([['signal', 'web', 2]]);
  });

  test('REMOVE_CONTAINER: 409 while it runs, then 200, then 404', async () => {
    expect(await agent.call('REMOVE_CONTAINER', web)).toMatchObject({ status: 409 });
    agent.containers.end('web', { reason: 'EXITED' });
    expect(await agent.call('REMOVE_CONTAINER', web)).toMatchObject({ status: 200, body: undefined });
    expect(await agent.call('REMOVE_CONTAINER', web)).toMatchObject({ status: 404 });
  });

  test('REMOVE_CONTAINER of a child that is gone is no error; of one whose root is unknown it is', async () => {
    expect(await agent.call('REMOVE_NESTED_CONTAINER', id('x', { value: 'web' }))).toMatchObject({
      status: 200,
    });
    expect(await agent.call('REMOVE_CONTAINER', id('x', { value: 'nobody' }))).toMatchObject({ status: 404 });
  });

  test('UPDATE_CONTAINER changes resources and limits', async () => {
    const resources = [{ name: 'mem', type: 'SCALAR', scalar: { value: 64 } }];
    await agent.call('UPDATE_CONTAINER', { ...web, resources, limits: { mem: { value: 128 } } });
    expect(agent.containers.calls.at(-1)).toEqual(['update', 'web', { mem: 64 }, { mem: 128 }]);
  });

  test('nested ones: launched, listed with their parent, and only by a nested id', async () => {
    const nested = id('shell', { value: 'web' });
    expect(await agent.call('LAUNCH_NESTED_CONTAINER', { ...nested, command })).toMatchObject({
      status: 200,
    });
    expect(await agent.call('WAIT_NESTED_CONTAINER', web)).toMatchObject({ status: 400 });
    const { body: few } = await agent.call('GET_CONTAINERS');
    expect(few.get_containers.containers).toHaveLength(1);
    const { body: all } = await agent.call('GET_CONTAINERS', { show_nested: true });
    expect(all.get_containers.containers[1]).toMatchObject({
      ...nested,
      container_status: { ...nested, executor_pid: 1234 },
      resource_statistics: { mem_rss_bytes: 4096 },
    });
    expect(
      (await agent.call('GET_CONTAINERS', { show_standalone: false })).body.get_containers.containers,
    ).toEqual([]);
  });

  test('GET_CONTAINER hides the values of secrets, in the plan too (A5)', async () => {
    const variables = [
      { name: 'PASSWORD', type: 'SECRET', secret: { type: 'VALUE', value: { data: 'aHVudGVyMg==' } } },
      { name: 'PLAIN', value: 'shown' },
    ];
    await agent.call('LAUNCH_CONTAINER', {
      ...id('db'),
      command: { ...command, environment: { variables } },
    });
    const { body } = await agent.call('GET_CONTAINER', { ...id('db'), show_system_calls: true });
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(body.get_container).toMatchObject({
      config: { environment: { PASSWORD: '(secret)', PLAIN: 'shown' } },
      plan: { environment: { PASSWORD: '(secret)', PLAIN: 'shown' } },
    });
    // Whoever looks into it has its variables.
    const inside = { argv: ['sh'], environment: { PASSWORD: 'hunter2' } };
    await agent.call('LAUNCH_CONTAINER', { ...id('look', { value: 'db' }), config: inside });
    const look = await agent.call('GET_CONTAINER', {
      ...id('look', { value: 'db' }),
      show_system_calls: true,
    });
    expect(JSON.stringify(look.body)).not.toContain('hunter2');
  });

  test.each(['GET_CONTAINER', 'WAIT_CONTAINER', 'KILL_CONTAINER', 'STOP_CONTAINER', 'REMOVE_CONTAINER'])(
    '%s of an unknown one: 404',
    async (type) => {
      expect(await agent.call(type, id('nobody'))).toMatchObject({
        status: 404,
        body: { error: { code: 'CONTAINER_UNKNOWN' } },
      });
    },
  );
});
