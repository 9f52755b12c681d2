/** /openapi.json: the routes and the calls, from the tables that serve them. */
import { z } from '@caisson/plugin-sdk';
import { version } from '../../version.js';
import { type Call, memberOf } from '../calls/call.js';
import { calls } from '../calls/index.js';
import type { Route } from '../http/route.js';

const schemaOf = (call: Call): object => {
  const { input, following, type, summary } = call;
  const member = memberOf(call);
  const parts = [input, following].flatMap((each) => each ?? []).map(jsonSchemaOf);
  const schema = parts.length > 1 ? { oneOf: parts } : parts[0];
  return {
    title: type,
    description: summary,
    type: 'object',
    properties: { type: { const: type }, ...(schema && { [member]: schema }) },
    required: ['type'],
  };
};

function jsonSchemaOf(input: z.ZodType): object {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' });
  return schema;
}

const ERROR = {
  type: 'object',
  properties: {
    error: {
      type: 'object',
      properties: {
        code: { type: 'string' },
        kind: { type: 'string' },
        message: { type: 'string' },
        hint: { type: 'string' },
        details: { type: 'object' },
      },
      required: ['code', 'kind', 'message'],
    },
  },
};

const callsThatAre = (how: 'message' | 'stream'): readonly Call[] =>
  calls.filter(({ following }) => (how === 'stream') === (following !== undefined));

function operationOf({ path, summary, right }: Route): object {
  const body = path === '/api/v1' && {
    requestBody: {
      required: true,
      content: {
        'application/json': { schema: { oneOf: callsThatAre('message').map(schemaOf) } },
        // RecordIO; each record is one of these.
        'application/recordio': { schema: { oneOf: callsThatAre('stream').map(schemaOf) } },
      },
    },
  };
  const failure = { description: 'what went wrong', content: { 'application/json': { schema: ERROR } } };
  return {
    summary,
    ...(right === undefined && { security: [] }),
    ...body,
    responses: { 200: { description: 'done' }, default: failure },
  };
}

export function openApiOf(routes: readonly Route[]): object {
  return {
    openapi: '3.1.0',
    info: { title: 'Caisson agent', version: version() },
    security: [{}, { basic: [] }, { bearer: [] }],
    paths: Object.fromEntries(
      routes.map((route) => [route.path, { [route.method.toLowerCase()]: operationOf(route) }]),
    ),
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}
