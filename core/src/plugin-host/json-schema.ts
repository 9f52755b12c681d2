import { z } from '@caisson/plugin-sdk';
import { ConfigurationSchema } from '../configuration/schema.js';
import type { Configuration } from '../configuration/values.js';
import { posixPlugin } from '../posix-launcher/plugin.js';
import { Catalogue } from './catalogue.js';
import { loadPlugin } from './load-plugin.js';
import { launcherOptionsKey } from './options.js';
import { OWN_DIRECTORY } from './packages.js';

export type JsonSchema = Record<string, unknown>;

/** JSON Schema (draft 7) of a configuration file, with the options of every isolator and launcher that is installed. */
export async function configurationSchema(configuration?: Configuration): Promise<JsonSchema> {
  const catalogue = new Catalogue(
    configuration?.directory ?? OWN_DIRECTORY,
    configuration?.values.plugins ?? [],
  );
  const schema = toJsonSchema(ConfigurationSchema);
  const properties = schema.properties as Record<string, JsonSchema>;
  properties.options = {
    description: 'by isolator; those of a launcher below launcher/<name>',
    type: 'object',
    properties: await optionSchemas(catalogue),
    additionalProperties: { type: 'object' },
  };
  return schema;
}

async function optionSchemas(catalogue: Catalogue): Promise<Record<string, JsonSchema>> {
  // A package that does not load here has options that nobody can list.
  const results = await Promise.allSettled(catalogue.installed().map((each) => loadPlugin(each)));
  const plugins = [
    posixPlugin,
    ...results.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])),
  ];
  const named = plugins.flatMap(({ definition: { isolators = [], launchers = [] } }) => [
    ...isolators.map(({ name, options }) => [name, options] as const),
    ...launchers.map(({ name, options }) => [launcherOptionsKey(name), options] as const),
  ]);
  return Object.fromEntries(
    named.flatMap(([name, options]) => (options ? [[name, toJsonSchema(options)]] : [])),
  );
}

/** What a file may say: the input of a schema that reads `1mins` as a number. */
const toJsonSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' }) as JsonSchema;
