import { CAPABILITIES } from '@caisson/linux/syscalls';
import {
  type ContainerConfig,
  createHooks,
  LaunchPlan,
  type PlannedCapabilities,
  z,
} from '@caisson/plugin-sdk';
import { describeIsolatorContract, fakeContainer } from '@caisson/plugin-sdk/testing';
import { describe, expect, test } from '@jest/globals';
import { agentCapabilities } from './agent-capabilities.js';
import plugin from './index.js';
import { CapabilitiesIsolator } from './isolator.js';
import { CapabilitiesOptions } from './options.js';

type Options = z.input<typeof CapabilitiesOptions>;
type Asked = NonNullable<ContainerConfig['capabilities']>;

/** A host that has taken one from root. */
const AVAILABLE = new Set<string>(CAPABILITIES.filter((name) => name !== 'SYS_RESOURCE'));

describeIsolatorContract({ plugin, options: { bounding: ['KILL'] } });

const isolatorWith = (options: Options) =>
  new CapabilitiesIsolator(CapabilitiesOptions.parse(options), AVAILABLE);

async function setsFor(
  config: Partial<ContainerConfig>,
  options: Options = {},
): Promise<PlannedCapabilities | undefined> {
  const hooks = createHooks();
  isolatorWith(options).apply(hooks);
  const plan = new LaunchPlan({ argv: ['true'] });
  await hooks.prepare.promise(fakeContainer({ config }), plan);
  return plan.data.capabilities;
}

type Row = [what: string, asked: Asked | undefined, options: Options, sets: PlannedCapabilities | undefined];

/** The rules of the reference: who says what, and what comes of it. */
const TABLE: readonly Row[] = [
  ['nobody says anything', undefined, {}, undefined],
  ['the container names no set', {}, {}, undefined],
  [
    'the container alone: effective bounds too',
    { effective: ['KILL'] },
    {},
    { effective: ['KILL'], bounding: ['KILL'] },
  ],
  ['the container alone: bounding', { bounding: ['KILL', 'CHOWN'] }, {}, { bounding: ['KILL', 'CHOWN'] }],
  [
    'the container alone: both',
    { effective: ['KILL'], bounding: ['KILL', 'CHOWN'] },
    {},
    { effective: ['KILL'], bounding: ['KILL', 'CHOWN'] },
  ],
  ['the container takes all away', { effective: [] }, {}, { effective: [], bounding: [] }],
  ["the operator's default", undefined, { effective: ['KILL'] }, { effective: ['KILL'], bounding: ['KILL'] }],
  ['the operator takes all away', undefined, { effective: [] }, { effective: [], bounding: [] }],
  ["the operator's bound", undefined, { bounding: ['KILL', 'CHOWN'] }, { bounding: ['KILL', 'CHOWN'] }],
  [
    "the operator's both",
    undefined,
    { effective: ['KILL'], bounding: ['KILL', 'CHOWN'] },
    { effective: ['KILL'], bounding: ['KILL', 'CHOWN'] },
  ],
  [
    'the default is no bound',
    { effective: ['CHOWN'] },
    { effective: ['KILL'] },
    { effective: ['CHOWN'], bounding: ['CHOWN'] },
  ],
  [
    "less than the operator's bound",
    { effective: ['KILL'] },
    { bounding: ['KILL', 'CHOWN'] },
    { effective: ['KILL'], bounding: ['KILL', 'CHOWN'] },
  ],
  [
    'a bounding set within the bound',
    { bounding: ['KILL'] },
    { effective: ['KILL'], bounding: ['KILL', 'CHOWN'] },
    { effective: ['KILL'], bounding: ['KILL'] },
  ],
  [
    'a bounding set gives nothing, so what the agent lacks is cut',
    { bounding: ['SYS_RESOURCE'] },
    {},
    { bounding: [] },
  ],
];

describe('the sets', () => {
  for (const [what, capabilities, options, sets] of TABLE)
    test(what, async () => {
      expect(await setsFor(capabilities ? { capabilities } : {}, options)).toEqual(sets);
    });

  test('a privileged container has what the launcher gives it, whatever the default is', async () => {
    expect(await setsFor({ privileged: true }, { effective: ['KILL'] })).toBeUndefined();
  });
});

describe('refused at launch', () => {
  const allowed = { bounding: ['KILL', 'CHOWN'] };
  const rows: [string, Partial<ContainerConfig>, Options, object][] = [
    [
      'a bounding set beyond the bound: both are listed',
      { capabilities: { bounding: ['KILL', 'SYS_ADMIN'] } },
      allowed,
      {
        code: 'CAPABILITIES_NOT_ALLOWED',
        kind: 'denied',
        message: 'container web asks for the capabilities KILL, SYS_ADMIN; the operator allows KILL, CHOWN',
      },
    ],
    [
      'effective beyond the bound',
      { capabilities: { effective: ['SYS_ADMIN'] } },
      allowed,
      {
        code: 'CAPABILITIES_NOT_ALLOWED',
        message: expect.stringContaining('SYS_ADMIN; the operator allows KILL'),
      },
    ],
    [
      'effective beyond what itself bounds',
      { capabilities: { effective: ['SYS_ADMIN'], bounding: ['KILL'] } },
      {},
      {
        code: 'EFFECTIVE_NOT_BOUNDED',
        kind: 'invalid',
        message: expect.stringContaining('SYS_ADMIN would be'),
      },
    ],
    [
      "a bounding set that the operator's default does not fit in",
      { capabilities: { bounding: [] } },
      { effective: ['KILL'] },
      {
        code: 'EFFECTIVE_NOT_BOUNDED',
        message: expect.stringContaining('the bounding set it asks for: none'),
      },
    ],
    [
      'privileged where there is a bound',
      { privileged: true },
      allowed,
      {
        code: 'CAPABILITIES_NOT_ALLOWED',
        message: expect.stringContaining('the capabilities all;'),
        hint: expect.stringContaining('privileged'),
      },
    ],
    [
      'what the agent does not have itself',
      { capabilities: { effective: ['SYS_RESOURCE', 'KILL'] } },
      {},
      {
        code: 'CAPABILITIES_UNAVAILABLE',
        kind: 'unsupported',
        message: expect.stringContaining('cannot give SYS_RESOURCE:'),
      },
    ],
  ];
  for (const [what, config, options, error] of rows)
    test(what, async () => {
      await expect(setsFor(config, options)).rejects.toMatchObject(error);
    });

  test('a second isolator that sets them: both are named', async () => {
    const hooks = createHooks();
    isolatorWith({ effective: [] }).apply(hooks);
    const plan = new LaunchPlan({ argv: ['true'] });
    plan.contributor = 'acme/caps';
    plan.setCapabilities({ effective: [], bounding: [] });
    plan.contributor = 'linux/capabilities';
    await expect(hooks.prepare.promise(fakeContainer(), plan)).rejects.toThrow(
      /acme\/caps.*linux\/capabilities/,
    );
  });
});

describe('the options', () => {
  const read = (input: unknown) => CapabilitiesOptions.safeParse(input);
  const problems = (input: unknown) =>
    read(input).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

  test('are lists, or what the flags of Mesos hold', () => {
    for (const value of [['KILL'], { capabilities: ['KILL'] }, '{"capabilities":["KILL"]}', '["KILL"]'])
      expect(read({ effective: value }).data).toEqual({ effective: ['KILL'] });
    expect(read({}).data).toEqual({});
    expect(read({ bounding: [] }).data).toEqual({ bounding: [] });
  });

  test('say what is wrong with a value', () => {
    expect(problems({ effective: ['CAP_KILL'] })).toEqual([
      expect.stringMatching(/^effective\.0: there is no such/),
    ]);
    for (const value of ['KILL', 'KILL,CHOWN', 5, { capability: [] }, '"x"'])
      expect(problems({ bounding: value })).toEqual(['bounding: must be a list such as [NET_RAW, CHOWN]']);
    expect(problems({ allowed: [] })).toBeDefined();
  });

  test('effective beyond bounding is a mistake at start', () => {
    expect(problems({ effective: ['KILL', 'CHOWN'], bounding: ['KILL'] })).toEqual([
      'effective: must be part of `bounding`, which lacks CHOWN',
    ]);
  });

  test('what the agent cannot give is a mistake at start', () => {
    expect(() => isolatorWith({ effective: ['SYS_RESOURCE'] })).toThrow(
      expect.objectContaining({
        code: 'CAPABILITIES_UNAVAILABLE',
        message: expect.stringContaining('`effective`'),
      }),
    );
    expect(() => isolatorWith({ bounding: ['SYS_RESOURCE'] })).not.toThrow();
  });

  test('are explained, and answer to the flags of Mesos', () => {
    const { properties } = z.toJSONSchema(CapabilitiesOptions, { io: 'input', unrepresentable: 'any' });
    expect(properties).toMatchObject({
      effective: { type: 'array', flag: ['effective_capabilities', 'allowed_capabilities'] },
      bounding: {
        type: 'array',
        flag: 'bounding_capabilities',
        description: expect.stringContaining('refused'),
      },
    });
  });
});

test('needs Linux, root and the launcher linux, and sees nested containers', () => {
  expect(plugin.isolators?.[0]).toMatchObject({
    name: 'linux/capabilities',
    requires: { platform: 'linux', root: true, launcher: 'linux' },
    supportsNesting: true,
  });
});

(process.platform === 'linux' ? test : test.skip)('knows what the agent has', () => {
  for (const name of agentCapabilities()) expect(CAPABILITIES).toContain(name);
});
