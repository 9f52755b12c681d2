import assert from 'node:assert/strict';
import { z } from 'zod';
import { definePlugin, type IsolatorDefinition } from '../define-plugin.js';
import type { IsolatorContract } from './contract.js';
import type { TestRunner } from './runner.js';

type JsonSchema = { properties?: Record<string, { description?: string }>; additionalProperties?: unknown };

/** As `caisson config schema` exports it: what an operator may write. */
const jsonSchemaOf = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' }) as JsonSchema;

/** Tests of what the plugin says of the isolator. */
export function describeDefinition(
  { plugin, options = {} }: IsolatorContract,
  { name, requires, options: schema }: IsolatorDefinition,
  { test }: TestRunner,
): void {
  test('its plugin is well defined', () => {
    assert.equal(definePlugin(plugin), plugin);
  });

  test('what it requires of the host is a reason or nothing, and asking changes nothing', () => {
    const [first, second] = [requires?.host?.(), requires?.host?.()];
    assert.ok(
      first === undefined || (typeof first === 'string' && first !== ''),
      `requires.host gave ${first}`,
    );
    assert.equal(first, second);
  });

  test('it requires neither itself nor what it conflicts with', () => {
    const { isolators = [], conflicts = [] } = requires ?? {};
    assert.ok(!isolators.includes(name), 'it requires itself');
    assert.deepEqual(
      isolators.filter((each) => conflicts.includes(each)),
      [],
    );
  });

  if (schema) describeOptions(schema as z.ZodType, options, test);
}

function describeOptions(schema: z.ZodType, options: unknown, test: TestRunner['test']): void {
  test('its options have defaults', () => {
    const { success, error } = schema.safeParse(options);
    assert.ok(success, `the options ${JSON.stringify(options)} are refused: ${error?.message}`);
  });

  test('an unknown option is refused', () => {
    const { success } = schema.safeParse({ ...(options as object), 'no-such-option': 1 });
    assert.ok(!success, 'use z.strictObject: a misspelt option would be ignored silently');
  });

  test('reading its options twice gives the same', () => {
    assert.deepEqual(schema.parse(options), schema.parse(options));
  });

  test('each option has a description in the JSON Schema', () => {
    const { properties = {} } = jsonSchemaOf(schema);
    const silent = Object.entries(properties).filter(([, { description }]) => !description);
    assert.deepEqual(
      silent.map(([option]) => option),
      [],
      'say meaning, unit, default and what 0 means',
    );
  });
}
