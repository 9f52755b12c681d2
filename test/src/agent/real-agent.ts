import { join } from 'node:path';
import type { Folder } from '../caisson.js';
import type { Ended, Running } from '../running.js';
import { Api } from './api.js';

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

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.running.child.kill(signal);
    return this.running.ended;
  }
}
