import { describe, expect, test } from '@jest/globals';
import { fakeContainer } from '../testing/fake-container.js';
import { createHooks, PHASES } from './index.js';

const container = fakeContainer();

describe('the hooks', () => {
  test('are one per phase, named for it', () => {
    const hooks = createHooks();
    expect(Object.keys(hooks)).toEqual([...PHASES]);
    for (const phase of PHASES) expect((hooks[phase] as { name?: string }).name).toBe(phase);
  });

  test('watch: a silent isolator does not delay the limitation of another', () => {
    const { watch } = createHooks();
    const reported: string[] = [];
    watch.tap('acme/silent', () => {});
    watch.tap('acme/strict', (_container, report) => report({ reason: 'DISK', message: 'too much' }));
    watch.call(container, ({ reason }) => reported.push(reason));
    expect(reported).toEqual(['DISK']);
  });

  test('prepare: one after another, in the order of the taps', async () => {
    const { prepare } = createHooks();
    const order: string[] = [];
    prepare.tapPromise('acme/slow', async () => {
      await new Promise(setImmediate);
      order.push('slow');
    });
    prepare.tap('acme/quick', () => {
      order.push('quick');
    });
    await prepare.promise(container, {} as never);
    expect(order).toEqual(['slow', 'quick']);
  });

  test('isolate: all at once', async () => {
    const { isolate } = createHooks();
    const order: string[] = [];
    isolate.tapPromise('acme/slow', async () => {
      await new Promise(setImmediate);
      order.push('slow');
    });
    isolate.tapPromise('acme/quick', async () => {
      order.push('quick');
    });
    await isolate.promise(container, 1);
    expect(order).toEqual(['quick', 'slow']);
  });
});
