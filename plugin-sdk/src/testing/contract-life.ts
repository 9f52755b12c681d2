import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Container, Limitation } from '../container.js';
import type { IsolatorDefinition, Requirements } from '../define-plugin.js';
import type { ContainerStatus, ResourceStatistics } from '../statistics.js';
import type { IsolatorContract } from './contract.js';
import { type ContainerOverrides, TemporaryHost } from './fake-container.js';
import type { TestRunner } from './runner.js';
import { StartedIsolator } from './started-isolator.js';

/** Why the phases can't be called on this machine. */
function whyNot({ platform, root, host }: Requirements = {}): string | undefined {
  if (platform && process.platform !== platform) return `needs ${platform}`;
  if (root && process.getuid?.() !== 0) return 'needs root';
  return host?.();
}

/** Two containers in a life of their own, each with a process; all is gone afterwards. */
class Scene {
  readonly #host = new TemporaryHost();
  readonly #ends: (() => Promise<unknown>)[] = [];

  constructor(private readonly contract: IsolatorContract) {}

  start(before?: StartedIsolator): StartedIsolator {
    const { workDir, runtimeDir } = this.#host;
    const environment = { workDir, runtimeDir, ...this.contract.environment };
    return new StartedIsolator({ ...this.contract, environment }, before?.checkpoints);
  }

  container(index: number, more: ContainerOverrides = {}): Container {
    const id = `contract-${index}-${process.pid}`;
    return this.#host.container({ id, ...this.contract.container?.(index), ...more });
  }

  /** The same container, as it is once it has a process. */
  async running(index: number): Promise<Container & { readonly pid: number }> {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    await once(child, 'spawn');
    this.#ends.push(() => {
      child.kill('SIGKILL');
      return child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
    });
    return this.container(index, { pid: child.pid }) as Container & { readonly pid: number };
  }

  /** The containers' processes end, as before `cleanup`. */
  async end(): Promise<void> {
    for (const end of this.#ends.splice(0)) await end();
  }

  async remove(): Promise<void> {
    await this.end();
    this.#host.remove();
  }
}

/** Through the phases up to a running container. */
async function launch(isolator: StartedIsolator, scene: Scene, index: number) {
  const plan = await isolator.prepare(scene.container(index));
  const container = await scene.running(index);
  const limitations: Limitation[] = [];
  await isolator.call('isolate', container, container.pid);
  await isolator.call('watch', container, (limitation: Limitation) => limitations.push(limitation));
  return { container, plan, limitations };
}

/** Tests of the phases, on containers that exist. */
export function describeLife(
  contract: IsolatorContract,
  definition: IsolatorDefinition,
  runner: TestRunner,
): void {
  const reason = contract.skipLife ?? whyNot(definition.requires);
  const test = (name: string, body: (scene: Scene) => Promise<void>): void => {
    if (reason !== undefined) {
      runner.test.skip(`${name} (skipped: ${reason})`, () => {});
      return;
    }
    runner.test(name, async () => {
      const scene = new Scene(contract);
      try {
        await body(scene);
      } finally {
        await scene.remove();
      }
    });
  };
  describeBeginning(test);
  describeRunning(test, definition, contract.fields ?? []);
  describeEnd(test);
}

type SceneTest = (name: string, body: (scene: Scene) => Promise<void>) => void;

function describeBeginning(test: SceneTest): void {
  test('prepare adds to the plan what survives JSON: it is checkpointed', async (scene) => {
    const isolator = scene.start();
    const plan = await isolator.prepare(scene.container(0));
    assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan.data);
    await isolator.call('cleanup', scene.container(0));
  });

  test('containers prepared at once do not mix', async (scene) => {
    const isolator = scene.start();
    const [one, other] = [scene.container(0), scene.container(1)];
    const [plan, otherPlan] = await Promise.all([isolator.prepare(one), isolator.prepare(other)]);
    assert.ok(!JSON.stringify(plan).includes(other.id), `the plan of ${one.id} names ${other.id}`);
    assert.ok(!JSON.stringify(otherPlan).includes(one.id), `the plan of ${other.id} names ${one.id}`);
    await isolator.call('cleanup', other);
    await isolator.call('cleanup', one);
  });

  test('a plan does not depend on containers before it', async (scene) => {
    const isolator = scene.start();
    const first = await isolator.prepare(scene.container(0));
    await isolator.call('cleanup', scene.container(0));
    await isolator.prepare(scene.container(1));
    const again = await isolator.prepare(scene.container(0));
    assert.deepEqual(again.data, first.data);
    await isolator.call('cleanup', scene.container(1));
    await isolator.call('cleanup', scene.container(0));
  });

  test('recover with nothing to recover, and with orphans that it never saw', async (scene) => {
    await scene.start().call('recover', { containers: [], orphans: [] });
    await scene.start().call('recover', { containers: [], orphans: ['never-seen'] });
  });

  test('a restart takes up a container, which then ends as any other', async (scene) => {
    const before = scene.start();
    const { container } = await launch(before, scene, 0);
    const after = scene.start(before);
    await after.call('recover', { containers: [container], orphans: [] });
    await after.call('watch', container, () => {});
    await scene.end();
    await after.call('cleanup', container);
    await before.call('cleanup', container); // stops what the first one watches
  });
}

function describeRunning(test: SceneTest, { name }: IsolatorDefinition, fields: readonly string[]): void {
  test('a healthy container has no limitation', async (scene) => {
    const isolator = scene.start();
    const { container, limitations } = await launch(isolator, scene, 0);
    await isolator.call('update', container, container.resources, container.limits);
    assert.deepEqual(limitations, []);
    await scene.end();
    await isolator.call('cleanup', container);
  });

  test('usage and status add fields and touch no others', async (scene) => {
    const isolator = scene.start();
    const { container } = await launch(isolator, scene, 0);
    const statistics: ResourceStatistics = { timestamp: 1, extensions: { 'someone/else': 1 } };
    const status: ContainerStatus = { container_id: container.id, extensions: { 'someone/else': 1 } };
    await isolator.call('usage', container, statistics);
    await isolator.call('status', container, status);
    assert.equal(statistics.timestamp, 1);
    assert.equal(status.container_id, container.id);
    for (const filled of [statistics, status]) {
      assert.deepEqual(JSON.parse(JSON.stringify(filled)), filled, 'a field is no JSON');
      assert.equal(filled.extensions?.['someone/else'], 1, 'it took the extensions of others away');
      const own = Object.keys(filled.extensions ?? {}).filter(
        (key) => key !== 'someone/else' && key !== name,
      );
      assert.deepEqual(own, [], `its extensions are below ${name}`);
    }
    assert.deepEqual(strangeNumbers(statistics), []);
    assert.deepEqual(unknownFields(statistics, fields), [], `own figures belong into extensions["${name}"]`);
    await scene.end();
    await isolator.call('cleanup', container);
  });
}

const strangeNumbers = (statistics: object): string[] =>
  Object.entries(statistics).flatMap(([field, value]) =>
    typeof value === 'number' && !(Number.isFinite(value) && value >= 0) ? [field] : [],
  );

const KNOWN = /^(timestamp|processes|threads|extensions|(cpus|mem|disk|net|pids|perf|blkio)(_[a-z0-9]+)+)$/;
const unknownFields = (statistics: object, fields: readonly string[]): string[] =>
  Object.keys(statistics).filter((field) => !KNOWN.test(field) && !fields.includes(field));

function describeEnd(test: SceneTest): void {
  test('cleanup accepts a container that it never saw', async (scene) => {
    await scene.start().call('cleanup', scene.container(0));
  });

  test('cleanup can be called again', async (scene) => {
    const isolator = scene.start();
    const { container } = await launch(isolator, scene, 0);
    await scene.end();
    await isolator.call('cleanup', container);
    await isolator.call('cleanup', container);
  });

  test('cleanup undoes a launch that failed after prepare', async (scene) => {
    const isolator = scene.start();
    await isolator.prepare(scene.container(0));
    await isolator.call('cleanup', scene.container(0));
    assert.deepEqual(isolator.checkpoints.ids(), []);
  });

  test('nothing is checkpointed of a container that is gone, and its id can be used again', async (scene) => {
    const isolator = scene.start();
    for (const round of [1, 2]) {
      const { container } = await launch(isolator, scene, 0);
      await scene.end();
      await isolator.call('cleanup', container);
      assert.deepEqual(isolator.checkpoints.ids(), [], `round ${round}`);
    }
  });

  test('the end of one container leaves another alone', async (scene) => {
    const isolator = scene.start();
    const { container } = await launch(isolator, scene, 0);
    await isolator.prepare(scene.container(1));
    await isolator.call('cleanup', scene.container(1));
    await isolator.call('usage', container, { timestamp: 1 });
    await isolator.call('status', container, { container_id: container.id });
    await scene.end();
    await isolator.call('cleanup', container);
  });
}
