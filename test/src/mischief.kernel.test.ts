/** An isolator that misbehaves in each of the eight phases, with real containers: its container fails alone (K2, K3). */
import { join } from 'node:path';
import { Containerizer, loadConfiguration } from '@caisson/core';
import { needs, withCensus } from '@caisson/linux/testing';
import type { Logger } from '@caisson/plugin-sdk';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Folder } from './caisson.js';

const kernelTest = needs(test, { root: true });
const HOW = ['throws', 'rejects', 'hangs', 'returns nonsense'] as const;
const NAMED = /acme\/mischief/;
const timeouts = Object.fromEntries(
  ['recover', 'prepare', 'isolate', 'update', 'usage', 'status', 'cleanup'].map((phase) => [phase, '200ms']),
);

const folder = new Folder();
folder.install('test/fixtures/broken/acme-mischief');
afterAll(() => folder.remove());

let lines: string[] = [];
const note = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
const log: Logger = { debug() {}, info() {}, warn: note, error: note };

/** A containerizer with acme/mischief, or without it, closed after `body`. */
async function withMischief<T>(
  options: object | undefined,
  body: (core: Containerizer) => Promise<T>,
): Promise<T> {
  lines = [];
  const file = join(folder.path, 'caisson.config.json');
  const isolation = ['filesystem/linux', 'namespaces/pid', ...(options ? ['acme/mischief'] : [])];
  folder.configure({
    launcher: 'linux',
    isolation,
    plugins: ['acme-mischief'],
    timeouts,
    options: options ? { 'acme/mischief': options } : {},
  });
  const configuration = await loadConfiguration({ file, environment: folder.environment });
  const core = await Containerizer.create(configuration, { log });
  try {
    return await body(core);
  } finally {
    await core.close();
  }
}

const sleeper = { argv: ['sleep', '1000'] };
const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing failed',
    (error: Error) => error.message,
  );

describe('an isolator that', () => {
  // What all containers share stays: directories, and what the launcher opens once.
  beforeAll(() =>
    withMischief(undefined, async (core) => {
      const { id } = await core.launch(undefined, { argv: ['true'] });
      await core.wait(id);
      await core.remove(id);
    }),
  );
  withCensus({ directories: folder.directories });

  for (const how of HOW) {
    for (const phase of ['prepare', 'isolate', 'watch'] as const) {
      // A synchronous hook has nobody who waits for it.
      if (phase === 'watch' && how === 'hangs') continue;
      kernelTest(
        `${how} in ${phase}: the launch fails, says who, where and whose, and is undone`,
        async () => {
          await withMischief({ phase, how }, async (core) => {
            const message = await messageOf(core.launch('mine', sleeper));
            expect(message).toMatch(NAMED);
            expect(message).toContain(phase);
            expect(message).toContain('mine');
            expect(core.list()).toEqual([]);
          });
        },
      );
    }

    kernelTest(`${how} in update: the update fails, the container goes on`, async () => {
      await withMischief({ phase: 'update', how }, async (core) => {
        await core.launch('mine', sleeper);
        expect(await messageOf(core.update('mine', { cpus: 1 }))).toMatch(NAMED);
        expect(core.list()).toMatchObject([{ id: 'mine', state: 'RUNNING' }]);
        await core.destroy('mine');
        await core.remove('mine');
      });
    });

    for (const phase of ['usage', 'status'] as const)
      kernelTest(`${how} in ${phase}: its fields are missing, the others stand`, async () => {
        await withMischief({ phase, how }, async (core) => {
          await core.launch('mine', sleeper);
          const answer = phase === 'usage' ? await core.usage('mine') : await core.status('mine');
          expect(answer).toBeDefined();
          expect(lines.join('\n')).toMatch(NAMED);
          await core.destroy('mine');
          await core.remove('mine');
        });
      });

    kernelTest(`${how} once in cleanup: it is tried again, and nothing is left`, async () => {
      await withMischief({ phase: 'cleanup', how, times: 1 }, async (core) => {
        await core.launch('mine', sleeper);
        await core.destroy('mine').catch(() => core.destroy('mine'));
        expect(core.list()).toMatchObject([{ id: 'mine', state: 'ENDED' }]);
        await core.remove('mine');
      });
    });

    kernelTest(`${how} always in cleanup: the next start without it undoes the rest`, async () => {
      await withMischief({ phase: 'cleanup', how }, async (core) => {
        await core.launch('mine', sleeper);
        expect(await messageOf(core.destroy('mine'))).toMatch(NAMED);
        expect(core.list()).toMatchObject([{ id: 'mine', problem: expect.stringMatching(NAMED) }]);
      });
      // The isolator is mended, and still enabled: what it was launched with must be there to undo it.
      await withMischief({ phase: 'recover', how: 'throws' }, async (core) => {
        await core.destroy('mine').catch(() => undefined);
        await core.remove('mine').catch(() => undefined);
        expect(core.list()).toEqual([]);
      });
    });

    kernelTest(`${how} in recover: it is reported, and the container runs on`, async () => {
      const pid = await withMischief({ phase: 'recover', how, times: 1000 }, async (core) => {
        const launched = await core.launch('mine', sleeper);
        return launched.pid;
      });
      await withMischief({ phase: 'recover', how }, async (core) => {
        expect(lines.join('\n')).toMatch(NAMED);
        expect(core.list()).toMatchObject([{ id: 'mine', state: 'RUNNING', pid }]);
        await core.destroy('mine');
        await core.remove('mine');
      });
    });
  }
});
