import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const guard = new URL('./debugger.js', import.meta.url);
const cli = fileURLToPath(new URL('../bin/caisson.js', import.meta.url));

/** Sends itself SIGUSR1, as a container of the same user could, and says whether its debugger listens. */
const attacked = `
  process.kill(process.pid, 'SIGUSR1');
  setTimeout(async () => {
    const { url } = await import('node:inspector');
    console.log(url() ? 'open' : 'closed', process.env.NODE_OPTIONS ?? 'unset');
    process.exit();
  }, 200);`;

async function output(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '', ...env } });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => (text[name] += chunk));
  const [status] = await once(child, 'close');
  return { status, ...text };
}

describe("N1: Node's debugger stays closed", () => {
  const inspectPort = ['--inspect-port=0', '--input-type=module'];

  it('SIGUSR1 opens it without the guard', async () => {
    const { stdout } = await output([...inspectPort, '-e', attacked]);
    expect(stdout).toMatch(/^open/);
  });

  it('and not with it', async () => {
    const guarded = `
      const { dropNodeOptions, keepDebuggerClosed } = await import(${JSON.stringify(guard)});
      keepDebuggerClosed();
      dropNodeOptions();
      ${attacked}`;
    const { stdout, stderr } = await output([...inspectPort, '-e', guarded], {
      NODE_OPTIONS: '--no-deprecation',
    });
    expect({ stdout, stderr }).toEqual({ stdout: 'closed unset\n', stderr: '' });
  });

  it.each([
    ['an argument', ['--inspect=0'], {}],
    ['NODE_OPTIONS', [], { NODE_OPTIONS: '--inspect=0' }],
  ])('caisson refuses --inspect as %s', async (_where, args, env) => {
    const { status, stderr } = await output([...args, cli, 'plugins'], env);
    expect(status).toBe(125);
    expect(stderr).toContain('start without --inspect');
  });
});
