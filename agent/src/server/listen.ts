/**
 * The Unix socket: 0600, in a directory that is its owner's alone (threat model A1). One that a dead agent left is taken
 * away; one that answers is another agent's.
 *
 * It is made under a name of its own and renamed: libuv deletes the name that it has bound when it closes a socket, and by
 * then that may be the name of another agent's.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '@caisson/plugin-sdk';
import type { FastifyInstance } from 'fastify';
import { apiErrors } from './errors.js';
import type { TcpAddress } from './settings/settings.js';
import { Successor } from './takeover/successor.js';

/** sun_path of unix(7) holds 107 bytes, and Node cuts longer ones off in silence; a successor's has five more. */
const LONGEST = 102;
const BOUND = /^\.sock\.\d+$/;

/** Where a successor listens until it serves. */
export const nextSocketOf = (socket: string): string => `${socket}.next`;

/** A socket that is listened at. */
export class SocketFile {
  readonly #inode: number;

  constructor(private path: string) {
    this.#inode = lstatSync(path).ino;
  }

  /** False: it is gone, or another one has its name. */
  get isThere(): boolean {
    return lstatSync(this.path, { throwIfNoEntry: false })?.ino === this.#inode;
  }

  /** Takes the name of another one, at once: whoever connects finds one of them. */
  rename(path: string): void {
    renameSync(this.path, path);
    this.path = path;
  }

  remove(): void {
    if (this.isThere) rmSync(this.path);
  }
}

/** @throws AGENT_RUNS_ALREADY, LISTEN_FAILED */
export async function listenOnSocket(app: FastifyInstance, path: string): Promise<SocketFile> {
  if (Buffer.byteLength(path) > LONGEST)
    throw apiErrors.LISTEN_FAILED(
      path,
      `the path is longer than ${LONGEST} bytes: choose a shorter --runtime-dir`,
    );
  if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (await Successor.answers(path)) throw apiErrors.AGENT_RUNS_ALREADY(path);
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !there.isSocket()) throw apiErrors.LISTEN_FAILED(path, 'something else has this name');
  await removeForsaken(path);
  await app.ready();
  const bound = join(dirname(path), `.sock.${process.pid}`);
  // bind(2) makes the file with what the mask leaves; a chmod afterwards would come too late.
  const mask = process.umask(0o177);
  const listening = listen(app, { path: bound }, path);
  process.umask(mask);
  await listening;
  const file = new SocketFile(bound);
  file.rename(path);
  return file;
}

/** What agents have left that were killed before they served at `socket`. */
export async function removeForsaken(socket: string): Promise<void> {
  const next = basename(nextSocketOf(socket));
  const directory = dirname(socket);
  for (const name of readdirSync(directory).filter((each) => BOUND.test(each) || each === next)) {
    const path = join(directory, name);
    if (!(await Successor.answers(path))) rmSync(path, { force: true });
  }
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
