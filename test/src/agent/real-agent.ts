import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Folder } from '../caisson.js';
import type { Ended, Running } from '../running.js';
import { Api, type Listed, unwire } from './api.js';

/** `caisson agent` of a folder, as users run it, which may be killed and started again. */
export class RealAgent {
  running!: Running;
  readonly socket: string;
  readonly api: Api;

  constructor(readonly folder: Folder) {
    this.socket = join(folder.directories[1]!, 'agent.sock');
    this.api = new Api(this.socket);
  }

  /** Without waiting for anything. */
  spawn(...args: string[]): Running {
    this.running = this.folder.start(['agent', ...args]);
    return this.running;
  }

  async start(...args: string[]): Promise<void> {
    await this.spawn(...args).says(/"msg":"serving"/);
  }

  get isRunning(): boolean {
    const { exitCode, signalCode } = this.running.child;
    return exitCode === null && signalCode === null;
  }

  async list(): Promise<readonly Listed[]> {
    const { status, body } = await this.api.call('GET_CONTAINERS', { show_nested: true });
    if (status !== 200) throw new Error(`the containers are not listed: ${status} ${body.message}`);
    return body.containers ?? [];
  }

  async removeAll(): Promise<void> {
    const outermost = (await this.list()).filter(({ container_id }) => !container_id.parent);
    for (const { container_id } of outermost) {
      await this.api.call('STOP_CONTAINER', { container_id, signal: 9 });
      const { status, body } = await this.api.call('REMOVE_CONTAINER', { container_id });
      if (status !== 200) throw new Error(`${unwire(container_id)} is not removed: ${body.message}`);
    }
  }

  /** What a test that failed half-way has left, for those after it. */
  async tidy(): Promise<void> {
    if (this.isRunning) await this.stop();
    const isLeft = (directory: string) => {
      const containers = join(directory, 'containers');
      return existsSync(containers) && readdirSync(containers).length > 0;
    };
    if (!this.folder.directories.some(isLeft)) return;
    await this.start();
    await this.removeAll();
    await this.stop();
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.running.child.kill(signal);
    return this.running.ended;
  }
}
