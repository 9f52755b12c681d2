/** K4, K5: whatever comes in, it is accepted or refused with a code; nothing else happens. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { ContainerConfigSchema, isCaissonError } from '@caisson/plugin-sdk';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readRecord } from './checkpoints/record.js';
import { ConfigurationSchema } from './configuration/schema.js';
import { validateLaunch } from './containerizer/validate.js';
import { parseStrictly } from './schema-problems.js';
import { TemporaryDirectory } from './testing/fakes.js';

const keys = [
  ...Object.keys(ContainerConfigSchema.shape),
  ...Object.keys(ConfigurationSchema.shape),
  '__proto__',
  'constructor',
];
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 4 }),
  fc.double(),
  fc.constant('a\0b'),
  fc.array(fc.string()),
);
const input = fc.oneof(
  value,
  fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), value, { noNullPrototype: true }),
);

test('a container configuration', () => {
  fc.assert(
    fc.property(fc.string(), input, (id, config) => {
      try {
        validateLaunch(id, config, new Map());
      } catch (error) {
        expect(isCaissonError(error)).toBe(true);
      }
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    }),
    { numRuns: 3000 },
  );
});

test('a configuration file', () => {
  fc.assert(
    fc.property(input, (content) => {
      const { problems } = parseStrictly(ConfigurationSchema, content);
      for (const problem of problems ?? []) expect(problem.length).toBeLessThan(2000);
    }),
    { numRuns: 3000 },
  );
});

test('a record', () => {
  const directory = new TemporaryDirectory();
  mkdirSync(directory.join('web'));
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string(), fc.constant('{"version":1}')), (content) => {
      writeFileSync(directory.join('web/record.json'), content);
      const unreadable: string[] = [];
      expect(readRecord(directory.join('web'), (file) => unreadable.push(file))).toBeUndefined();
      expect(unreadable).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
  directory.remove();
});
