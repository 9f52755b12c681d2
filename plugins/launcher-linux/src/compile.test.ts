import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaunchPlanData } from '@caisson/plugin-sdk';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compileLaunch, compileTable, DEFAULT_PATH, describeLaunch } from './compile.js';
import { STEPS } from './steps/index.js';
import { withoutCalls, withoutSteps } from './testing/guard-off.js';
import { hostPlan, standardPlan } from './testing/standard-plan.js';

let directory = '';
let [rootA, rootB] = ['', ''];
beforeAll(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'caisson-compile-')));
  [rootA, rootB] = [join(directory, 'a'), join(directory, 'b')];
  for (const root of [rootA, rootB]) mkdirSync(root);
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('the paths that a command may have', () => {
  const candidates = (argv: string[], edit: Partial<LaunchPlanData> = {}) =>
    Object.entries(compileLaunch(hostPlan(argv, edit)).values)
      .filter(([name]) => name.startsWith('executable'))
      .map(([, path]) => path);

  test('a name is looked up in the PATH of the container, in order', () => {
    expect(candidates(['ls'], { environment: { PATH: '/a:/b/c' } })).toEqual(['/a/ls', '/b/c/ls']);
  });

  test('without PATH in the default one', () => {
    expect(candidates(['ls'])).toEqual(DEFAULT_PATH.split(':').map((folder) => `${folder}/ls`));
  });

  test('an empty or relative part of PATH is not the working directory', () => {
    expect(candidates(['ls'], { environment: { PATH: ':/bin::.:sub:' } })).toEqual(['/bin/ls']);
    expect(candidates(['ls'], { environment: { PATH: '' } })).toEqual(['/ls']);
  });

  test('a path is taken as it is', () => {
    expect(candidates(['/bin/ls'])).toEqual(['/bin/ls']);
    expect(candidates(['./ls'])).toEqual(['./ls']);
  });

  test('the executable wins over argv', () => {
    expect(candidates(['-sh'], { executable: '/bin/sh' })).toEqual(['/bin/sh']);
    expect(candidates(['-sh'], { executable: 'sh', environment: { PATH: '/bin' } })).toEqual(['/bin/sh']);
  });
});

describe('what a launch fills in', () => {
  test('the environment is built from nothing; PATH has a default (N13)', () => {
    expect(compileLaunch(hostPlan('true')).values.environment).toEqual([`PATH=${DEFAULT_PATH}`]);
    const environment = { A: '1', PATH: '/bin', EMPTY: '' };
    expect(compileLaunch(hostPlan('true', { environment })).values.environment).toEqual([
      'PATH=/bin',
      'A=1',
      'EMPTY=',
    ]);
  });

  test('paths of the host are resolved now: in the launch no link is followed', () => {
    symlinkSync('a', join(directory, 'link'));
    const plan = standardPlan(join(directory, 'link'), 'true', {
      mounts: [{ type: 'bind', source: join(directory, 'link'), target: '/mnt', recursive: true, flags: [] }],
    });
    expect(compileLaunch(plan).values).toMatchObject({ rootfs: rootA, 'source 0': rootA });
  });

  test('a root filesystem that has gone is said before anything is started', () => {
    expect(() => compileLaunch(standardPlan(join(directory, 'absent'), 'true'))).toThrow(/ENOENT/);
  });
});

describe('programs', () => {
  const programOf = (plan: LaunchPlanData) => compileLaunch(plan).program;
  const base = () => standardPlan(rootA, ['sh', '-c', 'true']);

  test.each<[string, (plan: LaunchPlanData) => void]>([
    ['the command', (plan) => plan.argv.push('x', 'y')],
    ['the environment', (plan) => Object.assign(plan.environment, { SECRET: 'x' })],
    ['the root filesystem', (plan) => Object.assign(plan, { rootfs: rootB })],
    ['the working directory', (plan) => Object.assign(plan, { workingDirectory: '/tmp' })],
    ['the executable', (plan) => Object.assign(plan, { executable: '/bin/ls' })],
    ['another folder in PATH', (plan) => Object.assign(plan.environment, { PATH: '/usr/bin' })],
  ])('two launches share one if they differ in nothing but %s', (_, change) => {
    const other = base();
    change(other);
    expect(programOf(other)).toBe(programOf(base()));
  });

  test.each<[string, Partial<LaunchPlanData>]>([
    ['its namespaces', { namespaces: { create: ['mount', 'pid', 'net'], enter: [] } }],
    ['its user', { user: { uid: 7, gid: 7, supplementaryGids: [] } }],
    ['its groups', { supplementaryGids: [4] }],
    ['its limits', { rlimits: { NOFILE: { soft: 5, hard: 6 } } }],
    ['its capabilities', { capabilities: { effective: [], bounding: [] } }],
    ['being privileged', { privileged: true }],
    ['no-new-privileges', { noNewPrivileges: false }],
    ['its OOM score', { oomScoreAdj: 5 }],
    ['an init', { init: true }],
    ['dying with the agent', { dieWithParent: true }],
    ['a terminal', { stdio: 'terminal' }],
    ['masked paths', { maskedPaths: [] }],
    ['read-only paths', { readOnlyPaths: [] }],
    ['its mounts', { mounts: [] }],
    ['its files', { fileOperations: [] }],
    ['the length of PATH', { environment: { PATH: '/bin:/usr/bin' } }],
  ])('a launch has one of its own for %s', (_, edit) => {
    expect(programOf({ ...base(), ...edit })).not.toBe(programOf(base()));
  });

  test('flags and target of a bind mount are of the program, its source is not', () => {
    const bound = (source: string, target: string, flags: readonly ('ro' | 'nosuid')[]) =>
      programOf({ ...base(), mounts: [{ type: 'bind', source, target, recursive: true, flags }] });
    expect(bound(rootA, '/x', ['ro'])).toBe(bound(rootB, '/x', ['ro']));
    expect(bound(rootA, '/x', ['ro'])).not.toBe(bound(rootA, '/x', []));
    expect(bound(rootA, '/x', ['ro'])).not.toBe(bound(rootA, '/y', ['ro']));
  });

  test('nothing of one launch is in the image of the next', () => {
    const text = fc.string({ minLength: 8, unit: fc.constantFrom(...'0123456789abcdef') });
    fc.assert(
      fc.property(text, text, (secret, other) => {
        fc.pre(!other.includes(secret) && !secret.includes(other));
        const image = (value: string) => {
          const plan = standardPlan(rootA, ['sh', value], { environment: { SECRET: value } });
          const { program, values } = compileLaunch({ ...plan, workingDirectory: `/${value}` });
          return Buffer.from(program.fill(values));
        };
        expect(image(`${secret}${'s'.repeat(300)}`).includes(secret)).toBe(true);
        expect(image(other).includes(secret)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test('only so many are kept', () => {
    const first = programOf(base());
    for (let i = 0; i < 64; i++) programOf({ ...base(), oomScoreAdj: i + 1 });
    expect(programOf(base())).not.toBe(first);
  });

  test('none is kept of steps with a guard off', () => {
    const off = compileLaunch(base(), withoutSteps('close-descriptors'));
    expect(off.program).not.toBe(programOf(base()));
    expect(compileLaunch(base(), withoutSteps('close-descriptors')).program).not.toBe(off.program);
  });
});

describe('a table', () => {
  test('is for people too, the values of the environment left out (A5)', () => {
    const text = describeLaunch(
      standardPlan(rootA, ['sh', '-c', 'id'], { environment: { TOKEN: 'hunter2' } }),
    );
    expect(text).toContain('wait-at-gate:');
    expect(text).toContain('"sh"');
    expect(text).toContain('TOKEN');
    expect(text).not.toContain('hunter2');
  });

  test('any plan compiles, however long its strings, or says which string it was', () => {
    const word = fc.string({ maxLength: 40 });
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 20 }),
        fc.dictionary(word, word),
        (argv, environment) => {
          const plan = hostPlan(argv, { environment });
          const { program, values } = compileLaunch(plan);
          const hasNul = JSON.stringify([argv, environment]).includes('\\u0000');
          if (hasNul) expect(() => program.fill(values)).toThrow(/NUL/);
          else expect(program.fill(values).includes(Buffer.from(`${argv.at(-1)}\0`))).toBe(true);
        },
      ),
    );
  });

  test('a guard that is left out in a test must exist', () => {
    expect(() => withoutSteps('no-such-step')).toThrow(/no step/);
    const steps = withoutCalls('clone-container', 'keyctl', STEPS);
    expect(() => compileTable(hostPlan('true'), 1, steps)).toThrow(/makes no call of keyctl/);
  });
});
