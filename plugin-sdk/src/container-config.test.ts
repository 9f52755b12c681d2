import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { ContainerConfigSchema } from './container-config.js';

/** The path of the first problem. */
function problem(config: object): string {
  const { error } = ContainerConfigSchema.safeParse({ argv: ['true'], ...config });
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') ?? 'none';
}

describe('a container configuration', () => {
  test('needs a command only', () => {
    expect(ContainerConfigSchema.parse({ argv: ['true'] })).toEqual({ argv: ['true'] });
  });

  test.each<[config: object, problem: string]>([
    [{ argv: [] }, 'argv: the command is empty'],
    [{ argv: [''] }, 'argv: the command is empty'],
    [{ argv: ['a\0b'] }, 'argv.0: must not contain a NUL'],
    [{ argv: 'true' }, 'argv: '],
    [{ shell: true }, 'Unrecognized key: "shell"'],
    [{ environment: { 'A=B': '1' } }, 'environment.A=B: '],
    [{ environment: { '': '1' } }, 'environment.: '],
    [{ environment: { A: 'x\0' } }, 'environment.A: must not contain a NUL'],
    [{ workingDirectory: 'tmp' }, 'workingDirectory: must be an absolute path'],
    [{ resources: { cpus: -1 } }, 'resources.cpus: '],
    [{ resources: { mem: Number.POSITIVE_INFINITY } }, 'resources.mem: '],
    [{ resources: { mem: Number.NaN } }, 'resources.mem: '],
    [{ resources: { cores: 1 } }, 'resources: Unrecognized key'],
    [{ rlimits: { FILES: { soft: 1, hard: 1 } } }, 'rlimits'],
    [{ rlimits: { NOFILE: { soft: 1.5, hard: 2 } } }, 'rlimits.NOFILE.soft'],
    [{ capabilities: { effective: ['CAP_CHOWN '] } }, 'capabilities.effective.0'],
    [{ oomScoreAdj: 1001 }, 'oomScoreAdj: '],
    [{ stdio: 'null' }, 'stdio: '],
    [{ windowSize: { columns: 65536, rows: 1 } }, 'windowSize.columns: '],
  ])('K4: %j is refused where it is wrong', (config, expected) => {
    expect(problem(config)).toContain(expected);
  });

  test('K4: `__proto__` does not get through; the core says so before', () => {
    const environment = JSON.parse('{"__proto__": {"A": "1"}}');
    const parsed = ContainerConfigSchema.parse({ argv: ['true'], environment });
    expect(parsed.environment?.A).toBeUndefined();
    expect(Object.getPrototypeOf(parsed.environment)).toBe(Object.prototype);
  });

  test('K4: anything is accepted or refused, never a crash', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (value) => {
        const result = ContainerConfigSchema.safeParse(value);
        expect(typeof result.success).toBe('boolean');
      }),
    );
  });

  test('goes through JSON as it is: it is checkpointed', () => {
    const config = {
      argv: ['sh', '-c', 'x'],
      environment: { A: '1', é: '"\n' },
      rlimits: { NOFILE: { soft: 10, hard: 'unlimited' } },
      capabilities: { effective: ['CHOWN'] },
      labels: { a: 'b' },
    };
    const parsed = ContainerConfigSchema.parse(config);
    expect(ContainerConfigSchema.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
  });

  test('has a JSON Schema', () => {
    const schema = z.toJSONSchema(ContainerConfigSchema, { target: 'draft-7', io: 'input' });
    expect(schema).toMatchObject({ type: 'object', required: ['argv'], additionalProperties: false });
  });
});
