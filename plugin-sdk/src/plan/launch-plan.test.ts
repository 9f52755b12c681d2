import { describe, expect, test } from '@jest/globals';
import { LaunchPlan, NAMESPACE_KINDS } from './launch-plan.js';

const USER = { uid: 1000, gid: 1000, supplementaryGids: [] };
const NO_CAPABILITIES = { effective: [], bounding: [] };
const LIMIT = { soft: 1, hard: 1 };

/** Two isolators, one after the other. */
function twice(first: (plan: LaunchPlan) => void, second: (plan: LaunchPlan) => void): LaunchPlan {
  const plan = new LaunchPlan({ argv: ['true'] });
  plan.contributor = 'acme/first';
  first(plan);
  plan.contributor = 'acme/second';
  second(plan);
  return plan;
}

describe('a contradiction in the launch plan names both isolators', () => {
  test.each<[what: string, first: (plan: LaunchPlan) => void, second: (plan: LaunchPlan) => void]>([
    ['root filesystem', (p) => p.setRootfs('/a'), (p) => p.setRootfs('/b')],
    ['root filesystem', (p) => p.setRootfs('/a'), (p) => p.setRootfs('/a')],
    ['working directory', (p) => p.setWorkingDirectory('/a'), (p) => p.setWorkingDirectory('/b')],
    ['user', (p) => p.setUser(USER), (p) => p.setUser(USER)],
    [
      'set of capabilities',
      (p) => p.setCapabilities(NO_CAPABILITIES),
      (p) => p.setCapabilities(NO_CAPABILITIES),
    ],
    ['no-new-privileges', (p) => p.setNoNewPrivileges(true), (p) => p.setNoNewPrivileges(false)],
    ['limit NOFILE', (p) => p.setRlimit('NOFILE', LIMIT), (p) => p.setRlimit('NOFILE', LIMIT)],
    ['variable A', (p) => p.setEnvironment('A', '1'), (p) => p.setEnvironment('A', '2')],
    ['pid namespace to enter', (p) => p.enterNamespace('pid', 1), (p) => p.enterNamespace('pid', 2)],
    ['net namespace', (p) => p.enterNamespace('net', 1), (p) => p.createNamespace('net')],
  ])('%s', (what, first, second) => {
    const attempt = () => twice(first, second);
    expect(attempt).toThrow(
      expect.objectContaining({
        code: 'PLAN_CONFLICT',
        kind: 'conflict',
        message: `the launch plan has one ${what}: set by acme/first, and again by acme/second`,
        hint: 'enable only one of acme/first and acme/second',
      }),
    );
  });

  test('and the configuration, where that was first', () => {
    const plan = new LaunchPlan({ argv: ['true'], workingDirectory: '/tmp', user: USER });
    plan.contributor = 'acme/first';
    expect(() => plan.setWorkingDirectory('/a')).toThrow('set by the configuration, and again by acme/first');
    expect(() => plan.setUser(USER)).toThrow('set by the configuration');
  });
});

describe('what two isolators agree on is no contradiction', () => {
  test('namespaces, groups, paths and equal variables exist once', () => {
    const both = (plan: LaunchPlan) => {
      for (const kind of NAMESPACE_KINDS) plan.createNamespace(kind);
      plan.enterNamespace('pid', 7);
      plan.addSupplementaryGroup(5);
      plan.maskPath('/proc/kcore');
      plan.makeReadOnly('/proc/sys');
      plan.setEnvironment('A', '1');
    };
    expect(twice(both, both).data).toMatchObject({
      namespaces: { create: [...NAMESPACE_KINDS], enter: [{ kind: 'pid', pid: 7 }] },
      supplementaryGids: [5],
      maskedPaths: ['/proc/kcore'],
      readOnlyPaths: ['/proc/sys'],
      environment: { A: '1' },
    });
  });

  test('a process to enter is the same with its identity, which is kept', () => {
    const identity = { pid: 7, bootId: 'boot', pidfsHandle: '1:07' };
    const enter = (process: number | typeof identity) => (plan: LaunchPlan) =>
      plan.enterNamespace('net', process);
    for (const plan of [twice(enter(7), enter(identity)), twice(enter(identity), enter(7))])
      expect(plan.data.namespaces.enter).toEqual([{ kind: 'net', pid: 7, identity }]);
  });

  test('mounts and files keep their order', () => {
    const plan = twice(
      (p) => p.mount({ type: 'proc', target: '/proc', flags: [] }),
      (p) => p.mount({ type: 'bind', source: '/srv', target: '/proc/x', flags: ['ro'], recursive: true }),
    );
    plan.fileOperation({ kind: 'mkdir', path: '/a', mode: 0o755 });
    plan.fileOperation({ kind: 'symlink', path: '/a/b', to: '../../anywhere' });
    expect(plan.data.mounts.map(({ target }) => target)).toEqual(['/proc', '/proc/x']);
    expect(plan.data.fileOperations.map(({ path }) => path)).toEqual(['/a', '/a/b']);
  });

  test('the same mount or file, added twice, is there twice; what an isolator does with its own afterwards is its own affair', () => {
    const plan = new LaunchPlan({ argv: ['true'] });
    const mount = { type: 'tmpfs' as const, target: '/a', flags: [] };
    const file = { kind: 'mkdir' as const, path: '/b', mode: 0o755 };
    for (let count = 0; count < 2; count += 1) {
      plan.mount(mount);
      plan.fileOperation(file);
    }
    mount.target = '/elsewhere';
    const { mounts, fileOperations } = plan.data;
    expect(mounts.map(({ target }) => target)).toEqual(['/a', '/a']);
    expect(mounts[0]).not.toBe(mounts[1]);
    expect(fileOperations).toEqual([file, file]);
    expect(fileOperations[0]).not.toBe(fileOperations[1]);
  });

  test('one may say it again itself', () => {
    const plan = new LaunchPlan({ argv: ['true'] });
    plan.setEnvironment('A', '1');
    plan.setEnvironment('A', '2');
    expect(plan.data.environment).toEqual({ A: '2' });
  });

  test("the container's own variables win over isolators", () => {
    const plan = new LaunchPlan({ argv: ['true'], environment: { A: 'mine' } });
    plan.contributor = 'acme/first';
    plan.setEnvironment('A', 'theirs');
    expect(plan.data.environment).toEqual({ A: 'mine' });
  });
});

describe('what could lead out of the container is refused, naming who added it', () => {
  const where = { flags: [], recursive: false } as const;
  test.each<[what: string, add: (plan: LaunchPlan) => void]>([
    ['a relative root filesystem', (p) => p.setRootfs('srv')],
    ['NUL in the root filesystem', (p) => p.setRootfs('/srv\0')],
    ['a relative working directory', (p) => p.setWorkingDirectory('.')],
    ['a mount at a relative target', (p) => p.mount({ type: 'proc', target: 'proc', flags: [] })],
    ['a mount with ..', (p) => p.mount({ type: 'proc', target: '/a/../../proc', flags: [] })],
    ['a mount at no text', (p) => p.mount({ type: 'proc', target: 7 as never, flags: [] })],
    ['a relative bind source', (p) => p.mount({ type: 'bind', source: 'a', target: '/a', ...where })],
    [
      'a bind source that climbs',
      (p) => p.mount({ type: 'bind', source: '/a', below: 'b/../../c', target: '/a', ...where }),
    ],
    ['a directory above', (p) => p.fileOperation({ kind: 'mkdir', path: '/..', mode: 0o755 })],
    ['a masked path above', (p) => p.maskPath('/proc/../../etc')],
    ['a read-only path above', (p) => p.makeReadOnly('/x/..')],
    ['a variable without a name', (p) => p.setEnvironment('', '1')],
    ['a variable with =', (p) => p.setEnvironment('A=B', '1')],
    ['a variable with NUL', (p) => p.setEnvironment('A', '1\0')],
    ['K4: a variable that is the prototype', (p) => p.setEnvironment('__proto__', '1')],
  ])('%s', (_what, add) => {
    const attempt = () => twice(() => {}, add);
    expect(attempt).toThrow(expect.objectContaining({ code: 'PLAN_INVALID', kind: 'invalid' }));
    expect(attempt).toThrow(/^acme\/second added/);
  });

  test('names that only look like it are fine', () => {
    const plan = new LaunchPlan({ argv: ['true'] });
    plan.maskPath('/proc/..hidden');
    plan.mount({ type: 'tmpfs', target: '/a..b/...', flags: [] });
    expect(plan.data.maskedPaths).toEqual(['/proc/..hidden']);
  });
});

test('a plan is JSON, and tells who asked for a part of it', () => {
  const plan = twice(
    (p) => p.createNamespace('mount'),
    (p) => p.createNamespace('pid'),
  );
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan.data);
  expect(plan.askedBy('namespaces')).toEqual(['acme/first', 'acme/second']);
  expect(plan.askedBy('rootfs')).toEqual([]);
});
