import { describe, expect, test } from '@jest/globals';
import { inject, injectable } from 'inversify';
import { z } from 'zod';
import type { Container } from '../container.js';
import { definePlugin, type PluginDefinition } from '../define-plugin.js';
import type { ContainerizerHooks } from '../hooks/index.js';
import type { Isolator } from '../isolator.js';
import { Checkpoints, IsolatorOptions, Logger } from '../services.js';
import { describeIsolatorContract, type IsolatorContract, type TestRunner } from './index.js';

const TallyOptions = z.strictObject({
  step: z.number().int().default(1).describe('added for each container'),
});

/** A well-behaved isolator that uses everything: what the suite is tried on, and broken below. */
class Tally implements Isolator {
  readonly #watched = new Set<string>();

  constructor(
    private readonly options: z.infer<typeof TallyOptions>,
    private readonly log: Logger,
    private readonly checkpoints: Checkpoints,
  ) {}

  apply(hooks: ContainerizerHooks): void {
    const { options, log, checkpoints } = this;
    hooks.recover.tap('acme/tally', ({ containers }) => {
      for (const { id } of containers) log.info({ found: checkpoints.get(id) }, 'taken up');
    });
    hooks.prepare.tapPromise('acme/tally', async ({ id }, plan) => {
      plan.setEnvironment('TALLY', id);
      checkpoints.set(id, { step: options.step });
    });
    hooks.watch.tap('acme/tally', ({ id }) => {
      this.#watched.add(id);
    });
    hooks.usage.tapAsync('acme/tally', (_container, statistics, done) => {
      statistics.processes = this.#watched.size;
      statistics.extensions = { ...statistics.extensions, 'acme/tally': options.step };
      done();
    });
    hooks.cleanup.tap('acme/tally', ({ id }) => {
      this.#watched.delete(id);
      checkpoints.delete(id);
    });
  }
}
inject(IsolatorOptions)(Tally, undefined, 0);
inject(Logger)(Tally, undefined, 1);
inject(Checkpoints)(Tally, undefined, 2);
injectable()(Tally);

const good = { name: 'acme/tally', implementation: Tally, options: TallyOptions };

/** The isolator with one more or another tap. */
function broken(apply: (hooks: ContainerizerHooks) => void): PluginDefinition {
  class Broken implements Isolator {
    apply = apply;
  }
  injectable()(Broken);
  return definePlugin({ isolators: [{ name: 'acme/tally', implementation: Broken }] });
}

/** Runs the suite as a test runner would, and returns the names of the tests that failed or were skipped. */
async function run(
  contract: IsolatorContract,
): Promise<{ failed: string[]; skipped: string[]; passed: number }> {
  const tests: [name: string, body: () => Promise<void> | void][] = [];
  const skipped: string[] = [];
  const collect = (name: string, body: () => Promise<void> | void) => tests.push([name, body]);
  const runner: TestRunner = {
    describe: (_name, body) => body(),
    test: Object.assign(collect, { skip: (name: string) => skipped.push(name) }),
  };
  describeIsolatorContract({ ...contract, runner });
  const failed: string[] = [];
  for (const [name, body] of tests) {
    try {
      await body();
    } catch (error) {
      failed.push(`${name}: ${(error as Error).message}`);
    }
  }
  return { failed, skipped, passed: tests.length - failed.length };
}

describeIsolatorContract({ plugin: definePlugin({ isolators: [good] }) });
describeIsolatorContract({ plugin: { isolators: [good] }, isolator: 'acme/tally', options: { step: 3 } });

describe('the contract suite', () => {
  const undo = { cleanup: (hooks: ContainerizerHooks) => hooks.cleanup.tap('acme/tally', () => {}) };

  test.each<[what: string, plugin: PluginDefinition, test: string]>([
    ['has another name on a tap', broken((h) => h.prepare.tap('tally', () => {})), 'under its own name'],
    ['taps nothing', broken(() => {}), 'it taps nothing'],
    [
      'taps a hook twice',
      broken((h) => [1, 2].forEach(() => h.prepare.tap('acme/tally', () => {}))),
      'at most once',
    ],
    [
      'wants to be first',
      broken((h) => h.prepare.tap({ name: 'acme/tally', stage: -1 }, () => {})),
      'its taps have no place of their own',
    ],
    [
      'returns a value',
      broken((h) => h.prepare.tap('acme/tally', () => 42 as never)),
      'returned a value from prepare',
    ],
    [
      'puts what is no JSON into the plan',
      broken((h) => h.prepare.tap('acme/tally', (_c, plan) => Object.assign(plan.data, { init: () => {} }))),
      'survives JSON',
    ],
    [
      'remembers the container before',
      broken((h) => {
        const seen: string[] = [];
        h.prepare.tap('acme/tally', ({ id }, plan) =>
          plan.setEnvironment('SEEN', `${seen.push(id) && seen}`),
        );
      }),
      'do not mix',
    ],
    [
      'changes the container',
      broken((h) =>
        h.prepare.tap('acme/tally', (container: Container) => {
          Object.assign(container, { pid: 1 });
        }),
      ),
      'read only property',
    ],
    [
      'fails on a container that it never saw',
      broken((h) =>
        h.cleanup.tap('acme/tally', () => {
          throw new Error('unknown container');
        }),
      ),
      'never saw',
    ],
    ['watches and never stops', broken((h) => h.watch.tap('acme/tally', () => {})), 'tap cleanup'],
    [
      'reports a limitation of a healthy container',
      broken((h) => {
        undo.cleanup(h);
        h.watch.tap('acme/tally', (_c, report) => report({ reason: 'X', message: 'x' }));
      }),
      'a healthy container has no limitation',
    ],
    [
      'replaces the extensions of others',
      broken((h) =>
        h.usage.tap('acme/tally', (_c, statistics) => {
          statistics.extensions = {};
        }),
      ),
      'it took the extensions of others away',
    ],
    [
      'reports NaN',
      broken((h) =>
        h.usage.tap('acme/tally', (_c, statistics) => {
          statistics.cpus_limit = Number.NaN;
        }),
      ),
      'a field is no JSON',
    ],
    [
      'has fields of its own beside those of the SDK',
      broken((h) =>
        h.usage.tap('acme/tally', (_c, statistics) => {
          Object.assign(statistics, { tally: 1 });
        }),
      ),
      'own figures belong into extensions',
    ],
    [
      'recovers badly',
      broken((h) => h.recover.tap('acme/tally', () => Promise.reject('x') as never)),
      'orphans',
    ],
  ])('finds an isolator that %s', async (_what, plugin, expected) => {
    const { failed } = await run({ plugin });
    expect(failed.join('\n')).toContain(expected);
  });

  test.each<[what: string, options: z.ZodType, test: string]>([
    ['ignore misspelt ones', z.object({ step: z.number().default(1).describe('x') }), 'use z.strictObject'],
    ['say nothing', z.strictObject({ step: z.number().default(1) }), 'say meaning, unit, default'],
    ['have no defaults', z.strictObject({ step: z.number().describe('x') }), 'its options have defaults'],
  ])('finds options that %s', async (_what, options, expected) => {
    const plugin = definePlugin({ isolators: [{ ...good, options }] });
    const { failed } = await run({ plugin });
    expect(failed.join('\n')).toContain(expected);
  });

  test('finds an isolator whose requirements contradict each other', async () => {
    const requires = { isolators: ['acme/other', 'acme/tally'], conflicts: ['acme/other'] };
    const { failed } = await run({ plugin: definePlugin({ isolators: [{ ...good, requires }] }) });
    expect(failed.join('\n')).toContain('it requires itself');
  });

  test('finds a checkpoint that outlives its container', async () => {
    class Keeper implements Isolator {
      constructor(private readonly checkpoints: Checkpoints) {}
      apply(hooks: ContainerizerHooks): void {
        hooks.prepare.tap('acme/tally', ({ id }) => this.checkpoints.set(id, 1));
      }
    }
    inject(Checkpoints)(Keeper, undefined, 0);
    injectable()(Keeper);
    const { failed } = await run({
      plugin: definePlugin({ isolators: [{ ...good, implementation: Keeper }] }),
    });
    expect(failed.filter((name) => /checkpointed|after prepare/.test(name))).toHaveLength(2);
  });

  test('skips the phases aloud where the host cannot run them', async () => {
    const requires = { host: () => 'no such kernel' };
    const { failed, skipped, passed } = await run({
      plugin: definePlugin({ isolators: [{ ...good, requires }] }),
    });
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(8);
    expect(skipped).toContain('cleanup can be called again (skipped: no such kernel)');
  });

  test('says which isolators the plugin has', () => {
    expect(() => describeIsolatorContract({ plugin: { isolators: [good] }, isolator: 'acme/tale' })).toThrow(
      'the plugin brings acme/tally, not acme/tale',
    );
  });
});
