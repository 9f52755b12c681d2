import type { Logger } from '@caisson/plugin-sdk';
import { withoutControls } from '../report.js';
import { say } from '../say.js';

/**
 * What the core and the isolators have to say meanwhile: on stderr as people read it, or kept for `--json`. `--quiet`
 * leaves errors.
 */
export class Notices implements Logger {
  /** In order, if they are kept. */
  readonly kept: string[] = [];

  constructor(
    private readonly how: { readonly json?: true | undefined; readonly quiet?: true | undefined },
  ) {}

  debug(): void {}

  info(): void {}

  warn(fields: object, message: string): void {
    if (!this.how.quiet || this.how.json) this.#say('warning', fields, message);
  }

  error(fields: object, message: string): void {
    this.#say('error', fields, message);
  }

  #say(level: string, { hint, error }: { hint?: unknown; error?: unknown }, message: string): void {
    const text = withoutControls(error === undefined ? message : `${message}: ${error}`);
    if (this.how.json) this.kept.push(`${level}: ${text}`);
    else say(`caisson: ${level}: ${text}\n${hint ? `  ${withoutControls(String(hint))}\n` : ''}`);
  }
}
