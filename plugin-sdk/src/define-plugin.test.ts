import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { definePlugin, type PluginDefinition } from './define-plugin.js';

class Empty {
  apply(): void {}
}
const isolator = { name: 'acme/tally', implementation: Empty };

describe('definePlugin', () => {
  test('returns a good definition as it is', () => {
    const definition = definePlugin({
      isolators: [{ ...isolator, options: z.strictObject({}), requires: { root: true } }],
      services: [{ token: Symbol.for('acme.Tally'), implementation: Empty }],
    });
    expect(definePlugin(definition)).toBe(definition);
    expect(definePlugin({})).toEqual({});
  });

  test.each<[what: string, definition: unknown, message: string]>([
    ['no object', 'tally', 'an object is expected, not string'],
    ['null', null, 'an object is expected'],
    ['isolators that are no list', { isolators: {} }, '"isolators" must be an array'],
    [
      'an isolator without a name',
      { isolators: [{ implementation: Empty }] },
      'like "acme/tally": undefined',
    ],
    ['null as an isolator', { isolators: [null] }, 'like "acme/tally": undefined'],
    ['no class', { isolators: [{ name: 'acme/tally' }] }, 'acme/tally: "implementation" must be a class'],
    [
      'no schema',
      { isolators: [{ ...isolator, options: {} }] },
      'acme/tally: "options" must be a zod schema',
    ],
    [
      'a launcher without a class',
      { launchers: [{ name: 'acme' }] },
      'acme: "implementation" must be a class',
    ],
    ['services that are no list', { services: 1 }, '"services" must be an array'],
    [
      'a service without a symbol',
      { services: [{ token: 'x', implementation: Empty }] },
      'a symbol as "token"',
    ],
  ])('refuses %s', (_what, definition, message) => {
    const attempt = () => definePlugin(definition as PluginDefinition);
    expect(attempt).toThrow(expect.objectContaining({ code: 'PLUGIN_INVALID', kind: 'invalid' }));
    expect(attempt).toThrow(message);
  });

  test.each(['', 'Acme', 'acme/', '/acme', 'acme//tally', 'acme tally', '../x', 'acme/_x', 'a\nb'])(
    'refuses the name %j',
    (name) => expect(() => definePlugin({ isolators: [{ ...isolator, name }] })).toThrow('holds a name'),
  );

  test.each(['a', 'posix/disk', 'cgroups/net_cls', 'acme/a/b', 'x.y/z-1'])('takes the name %j', (name) => {
    expect(definePlugin({ isolators: [{ ...isolator, name }] }).isolators?.[0]?.name).toBe(name);
  });
});
