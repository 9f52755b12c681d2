import { type ContainerConfig, createHooks, LaunchPlan, type LaunchPlanData, z } from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import { type HostLimits, hostLimits } from './host-limits.js';
import plugin from './index.js';
import { RlimitsIsolator } from './isolator.js';
import { RlimitsOptions } from './options.js';

const HOST: HostLimits = {
  inherited: () => ({ soft: 1024, hard: 4096 }),
  mayRaise: true,
  mostOpenFiles: 1_048_576,
};

describeIsolatorContract({ plugin, options: { maximum: { NPROC: 1000 } } });

/** The limits of the plan, which begins as the core begins it: with those of the configuration. */
async function limitsFor(
  rlimits: ContainerConfig['rlimits'],
  options: z.input<typeof RlimitsOptions> = {},
  host: HostLimits = HOST,
): Promise<LaunchPlanData['rlimits']> {
  const hooks = createHooks();
  new RlimitsIsolator(RlimitsOptions.parse(options), host).apply(hooks);
  const plan = new LaunchPlan({ argv: ['true'], rlimits: { ...rlimits } });
  plan.contributor = 'posix/rlimits';
  await hooks.prepare.promise(fakeContainer({ config: { rlimits } }), plan);
  return plan.data.rlimits;
}

describe('posix/rlimits', () => {
  test('leaves a plan alone that asks for what it may have', async () => {
    expect(await limitsFor(undefined)).toEqual({});
    const asked = { NOFILE: { soft: 10, hard: 20 }, CPU: { soft: 1, hard: 'unlimited' } } as const;
    expect(await limitsFor(asked)).toEqual(asked);
  });

  test('gives defaults to those that ask for none of that name', async () => {
    const defaults = { NOFILE: { soft: 100, hard: 200 }, NPROC: { soft: 5, hard: 5 } };
    expect(await limitsFor({ NPROC: { soft: 9, hard: 9 } }, { defaults })).toEqual({
      NOFILE: { soft: 100, hard: 200 },
      NPROC: { soft: 9, hard: 9 },
    });
  });

  test('holds those that ask for nothing to the maximum', async () => {
    expect(await limitsFor(undefined, { maximum: { NPROC: 2000, NOFILE: 64, CORE: 'unlimited' } })).toEqual({
      NPROC: { soft: 1024, hard: 2000 },
      NOFILE: { soft: 64, hard: 64 },
    });
  });

  const bad: [string, ContainerConfig['rlimits'], HostLimits, RegExp][] = [
    ['soft above hard', { CPU: { soft: 2, hard: 1 } }, HOST, /CPU: soft limit 2 is above the hard limit 1/],
    ['unlimited above a number', { AS: { soft: 'unlimited', hard: 1 } }, HOST, /AS: soft limit unlimited/],
    ['NOFILE above fs.nr_open', { NOFILE: { soft: 1, hard: 'unlimited' } }, HOST, /fs\.nr_open/],
    [
      'more than an agent without CAP_SYS_RESOURCE has',
      { NPROC: { soft: 1, hard: 4097 } },
      { ...HOST, mayRaise: false },
      /NPROC: 4097 is above 4096, the limit of the agent/,
    ],
  ];
  for (const [what, rlimits, host, message] of bad)
    test(`refuses ${what} at launch`, async () => {
      await expect(limitsFor(rlimits, {}, host)).rejects.toMatchObject({
        code: 'RLIMITS_INVALID',
        kind: 'invalid',
        message: expect.stringMatching(message),
      });
    });

  test('names all problems at once', async () => {
    const rlimits = { CPU: { soft: 2, hard: 1 }, NOFILE: { soft: 1, hard: 2_000_000 } };
    await expect(limitsFor(rlimits)).rejects.toMatchObject({
      details: { problems: [expect.any(String), expect.any(String)] },
    });
  });

  test('refuses what is above the maximum, and says what that is', async () => {
    const launch = limitsFor(
      { NOFILE: { soft: 1, hard: 'unlimited' } },
      { maximum: { NOFILE: 65_536 } },
      {
        ...HOST,
        mostOpenFiles: Number.POSITIVE_INFINITY,
      },
    );
    await expect(launch).rejects.toMatchObject({
      code: 'RLIMITS_ABOVE_MAXIMUM',
      kind: 'denied',
      message: expect.stringContaining(
        'container web asks for more than the operator allows: NOFILE: unlimited is above 65536',
      ),
    });
  });

  test('another isolator that sets the same limit is refused, and both are named', async () => {
    const hooks = createHooks();
    new RlimitsIsolator(RlimitsOptions.parse({ defaults: { CPU: { soft: 1, hard: 1 } } }), HOST).apply(hooks);
    const plan = new LaunchPlan({ argv: ['true'] });
    plan.contributor = 'acme/limits';
    plan.setRlimit('CPU', { soft: 5, hard: 5 });
    plan.contributor = 'posix/rlimits';
    await expect(hooks.prepare.promise(fakeContainer(), plan)).rejects.toThrow(
      /acme\/limits.*posix\/rlimits/,
    );
  });

  test('does not start with defaults that the host refuses', () => {
    const defaults = { NOFILE: { soft: 1, hard: 2_000_000 } };
    expect(() => new RlimitsIsolator(RlimitsOptions.parse({ defaults }), HOST)).toThrow(
      expect.objectContaining({
        code: 'RLIMIT_DEFAULTS_IMPOSSIBLE',
        message: expect.stringContaining('fs.nr_open'),
      }),
    );
  });
});

describe('the options', () => {
  test('are strict, and name the place of a mistake', () => {
    const issues = (input: unknown) =>
      RlimitsOptions.safeParse(input).error?.issues.map(
        ({ path, message }) => `${path.join('.')}: ${message}`,
      );
    expect(issues({ defaults: { FILES: { soft: 1, hard: 1 } } })).toBeDefined();
    expect(issues({ defaults: { CPU: { soft: 2, hard: 1 } } })).toEqual([
      'defaults.CPU: the soft limit is above the hard one',
    ]);
    expect(issues({ defaults: { CPU: { soft: 1, hard: 9 } }, maximum: { CPU: 5 } })).toEqual([
      'defaults.CPU.hard: must not be above maximum.CPU, which is 5',
    ]);
    expect(issues({ maximum: { CPU: -1 } })).toBeDefined();
  });

  test('are explained', () => {
    const { properties } = z.toJSONSchema(RlimitsOptions, { io: 'input' });
    expect(properties).toMatchObject({
      defaults: { description: expect.stringContaining('getrlimit(2)') },
      maximum: { description: expect.stringContaining('refused') },
    });
  });
});

test('needs Linux and its launcher, not root, and sees nested containers', () => {
  expect(plugin.isolators?.[0]).toMatchObject({
    name: 'posix/rlimits',
    requires: { platform: 'linux', launcher: 'linux' },
    supportsNesting: true,
  });
});

(process.platform === 'linux' ? test : test.skip)('knows its host', () => {
  const { soft, hard } = hostLimits.inherited('NOFILE');
  expect(soft === 'unlimited' || soft > 0).toBe(true);
  expect(hard === 'unlimited' || hard >= Number(soft)).toBe(true);
  expect(hostLimits.mostOpenFiles).toBeGreaterThan(1023);
  expect(typeof hostLimits.mayRaise).toBe('boolean');
});
