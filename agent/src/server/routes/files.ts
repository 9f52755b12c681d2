/** /files/*: sandboxes, as Mesos serves them. */
import { createReadStream } from 'node:fs';
import { posix } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AgentContext, ReadyContext } from '../context.js';
import { apiErrors } from '../errors.js';
import { describeEntries, listDirectory, modeText, readPiece } from '../files/listing.js';
import { openBeneath } from '../files/sandbox-file.js';
import { resolvePath, virtualRoot } from '../files/virtual-path.js';
import type { Route } from '../http/route.js';

/** 16 pages, as in Mesos: these answers are text within JSON. */
const LONGEST_TEXT = 64 * 1024;

type Query = Readonly<Record<string, unknown>>;
type Handler = (request: FastifyRequest, reply: FastifyReply, context: AgentContext) => unknown;

function pathOf(query: unknown): string {
  const { path } = query as Query;
  if (typeof path !== 'string' || path === '') throw apiErrors.REQUEST_MALFORMED('path: required');
  return path;
}

/** Absent is -1, which has a meaning. */
function numberOf(query: unknown, name: string): number {
  const text = (query as Query)[name] ?? '-1';
  if (typeof text !== 'string' || !/^(-1|\d{1,15})$/.test(text))
    throw apiErrors.REQUEST_MALFORMED(`${name}: a number from -1 on is expected`);
  return Number(text);
}

const browse: Handler = async ({ query }, _reply, context) => {
  const entries = await listDirectory(pathOf(query), context as ReadyContext);
  return describeEntries(entries, ({ mtimeMs, mode }) => ({ mtime: mtimeMs / 1000, mode: modeText(mode) }));
};

const read: Handler = async ({ query }, _reply, context) => {
  const offset = numberOf(query, 'offset');
  const asked = numberOf(query, 'length');
  const length = offset < 0 ? 0 : asked < 0 ? LONGEST_TEXT : Math.min(asked, LONGEST_TEXT);
  const { size, data } = await readPiece(
    pathOf(query),
    { offset: Math.max(offset, 0), length },
    context as ReadyContext,
  );
  return { offset: offset < 0 ? size : offset, data: data.toString('utf8') };
};

const download: Handler = ({ query }, reply, context) => {
  const { base, parts, shown } = resolvePath(pathOf(query), context as ReadyContext);
  const { fd, stat, close } = openBeneath(base, parts, shown);
  if (stat.isDirectory()) {
    close();
    throw apiErrors.FILE_REFUSED(shown, 'it is a directory');
  }
  const name = encodeURIComponent(posix.basename(shown));
  return reply
    .type('application/octet-stream')
    .header('X-Content-Type-Options', 'nosniff')
    .header('Content-Disposition', `attachment; filename*=UTF-8''${name}`)
    .send(createReadStream('', { fd, autoClose: true }));
};

const debug: Handler = (_request, _reply, context) =>
  Object.fromEntries(
    (context as ReadyContext).containers.list().map((each) => [virtualRoot(each), each.sandbox]),
  );

const get = (name: string, summary: string, handle: Handler): Route => ({
  method: 'GET',
  path: `/files/${name}`,
  summary,
  right: 'read',
  handle,
});

export const fileRoutes: readonly Route[] = [
  get('browse', 'the entries of a directory of a sandbox: path', browse),
  get('read', 'a piece of a file of a sandbox, as text: path, offset, length', read),
  get('download', 'a file of a sandbox: path', download),
  get('debug', 'where the sandboxes are', debug),
];
