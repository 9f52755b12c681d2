import { closeSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from '@jest/globals';
import { pipe } from '../syscalls/files.js';
import { withCensus } from '../testing/index.js';
import { CallTable, Label } from './call-table.js';
import { FIRST_GIVEN, runHelper } from './run-helper.js';

withCensus();
const run = (table: CallTable, descriptors: readonly number[] = [], timeoutMs = 5000) =>
  runHelper(table, { descriptors, directory: tmpdir(), timeoutMs });
const linuxTest = process.platform === 'linux' ? test : test.skip;

linuxTest(
  'a helper has the descriptors that it is given, in their order, and the event loop goes on',
  async () => {
    const { readEnd, writeEnd } = pipe();
    const table = new CallTable();
    table.call('write', [FIRST_GIVEN + 1, table.string('told'), 4]);
    table.call('exit_group', [0]);
    const given = openSync('/dev/null', 'r');
    expect(await run(table, [given, writeEnd])).toBeUndefined();
    closeSync(writeEnd);
    expect(readFileSync(readEnd, 'utf8')).toBe('told');
    for (const fd of [readEnd, given]) closeSync(fd);
  },
);

linuxTest('N3: and no other one of ours', async () => {
  const table = new CallTable();
  table.call('fchdir', [FIRST_GIVEN]);
  table.call('exit_group', [0]);
  expect(await run(table)).toMatchObject({ call: 'fchdir', errno: 'EBADF' });
});

linuxTest('tells the call that failed', async () => {
  const table = new CallTable();
  table.step('look');
  table.call('chdir', [table.string('/does/not/exist')]);
  expect(await run(table)).toMatchObject({ step: 'look', call: 'chdir', errno: 'ENOENT' });
});

linuxTest('one that does not end is killed', async () => {
  const table = new CallTable();
  const again = new Label('again');
  const { readEnd, writeEnd } = pipe();
  table.place(again);
  table.call('read', [FIRST_GIVEN, table.bytes(Buffer.alloc(8)), 8]);
  table.jump(again);
  await expect(run(table, [readEnd], 50)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  for (const fd of [readEnd, writeEnd]) closeSync(fd);
});
