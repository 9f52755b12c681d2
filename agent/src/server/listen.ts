/**
 * The Unix socket: 0600, in a directory that is its owner's alone (threat model A1). One that a dead agent left is taken
 * away; one that answers is another agent's.
 */
import { existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { messageOf } from '@caisson/plugin-sdk';
import type { FastifyInstance } from 'fastify';
import { apiErrors } from './errors.js';
import type { TcpAddress } from './settings/settings.js';

/** sun_path of unix(7) holds this many bytes, and Node cuts longer ones off in silence. */
const LONGEST = 107;

/** Returns what removes the socket again. @throws AGENT_RUNS_ALREADY, LISTEN_FAILED */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<() => void> {
  if (Buffer.byteLength(path) > LONGEST)
    throw apiErrors.LISTEN_FAILED(
      path,
      `the path is longer than ${LONGEST} bytes: choose a shorter --runtime-dir`,
    );
  if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (await answers(path)) throw apiErrors.AGENT_RUNS_ALREADY(path);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
  await app.ready();
  // bind(2) makes the file with what the mask leaves; a chmod afterwards would come too late.
  const mask = process.umask(0o177);
  const listening = listen(app, { path }, path);
  process.umask(mask);
  await listening;
  const { ino } = lstatSync(path);
  return () => {
    if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path);
  };
}

/** @throws LISTEN_FAILED */
export async function listenOnTcp(app: FastifyInstance, { ip, port }: TcpAddress): Promise<string> {
  await app.ready();
  await listen(app, { host: ip, port }, `${ip}:${port}`);
  const address = app.server.address();
  return `${ip}:${typeof address === 'object' ? address?.port : port}`;
}

/** The server itself: the library's own listen() binds later, in a turn of its own. */
function listen(
  app: FastifyInstance,
  where: { path: string } | { host: string; port: number },
  shown: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const { server } = app;
    const fail = (error: Error) => reject(apiErrors.LISTEN_FAILED(shown, messageOf(error)));
    server.once('error', fail);
    server.listen({ ...where, backlog: 1024 }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
