/** /openapi.json: the routes and the calls, from the tables that serve them. */
import { z } from '@caisson/plugin-sdk';
import { version } from '../../version.js';
import { type Call, memberOf } from '../calls/call.js';
import { calls } from '../calls/index.js';
import type { Route } from '../http/route.js';

const schemaOf = (call: Call): object => {
  const { input, type, summary } = call;
  const member = memberOf(call);
  const schema = input && (z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }) as object);
  return {
    title: type,
    description: summary,
    type: 'object',
    properties: { type: { const: type }, ...(schema && { [member]: withoutDialect(schema) }) },
    required: ['type'],
  };
};

const withoutDialect = ({ $schema: _dialect, ...schema }: { $schema?: unknown }): object => schema;

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

function operationOf({ path, summary, right }: Route): object {
  const body = path === '/api/v1' && {
    requestBody: {
      required: true,
      content: { 'application/json': { schema: { oneOf: calls.map(schemaOf) } } },
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
