import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { clearFailpoints, setFailpoint } from '@caisson/plugin-sdk/failpoint';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FakeLog, TemporaryDirectory } from '../testing/fakes.js';
import { bootId } from './boot-id.js';
import { IsolatorStore } from './isolator-store.js';
import { makerOf } from './maker.js';
import { claimDirectory, isAbandoned, isClaimFile } from './owner.js';
import { isAlive, markOf, ownMark, type ProcessMark } from './process-start.js';
import { collectTemporaries, readState, setAside, writeState } from './state-file.js';

let directory: TemporaryDirectory;
beforeEach(() => {
  directory = new TemporaryDirectory();
});
afterEach(() => {
  clearFailpoints();
  directory.remove();
});

const thrown = (call: () => unknown): Error & { code?: string } => {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not throw');
};

describe('a file of state (K5)', () => {
  test('is 0600, whatever the umask', () => {
    const file = directory.join('x.json');
    writeState(file, '{}');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('keeps its old content when it cannot be written; written in place it loses it', () => {
    const file = directory.join('x.json');
    writeState(file, '"old"');
    // With the guard off, as a naive writer would do: the file is truncated before the disk turns out to be full.
    const naive = directory.join('naive.json');
    writeFileSync(naive, '"old"');
    writeFileSync(naive, '');
    expect(() => readState(naive, (content) => content)).toThrow();
    setFailpoint('checkpoint.written', { action: 'throw', times: 1 });
    expect(thrown(() => writeState(file, '"new"'))).toMatchObject({
      code: 'STATE_WRITE_FAILED',
      kind: 'exhausted',
    });
    expect(readState(file, (content) => content)).toBe('old');
    expect(readdirSync(directory.path).sort()).toEqual(['naive.json', 'x.json']);
  });

  test('that does not parse is set aside, one after another, never deleted', () => {
    const file = directory.join('x.json');
    for (const n of [1, 2]) {
      writeFileSync(file, `broken ${n}`);
      expect(setAside(file)).toBe(`${file}.corrupt-${n}`);
    }
    expect(readFileSync(`${file}.corrupt-1`, 'utf8')).toBe('broken 1');
    expect(readState(file, (content) => content)).toBeUndefined();
  });

  test('temporaries of a killed writer are collected', () => {
    writeFileSync(directory.join('x.json.new'), 'half');
    writeFileSync(directory.join('x.json'), '1');
    collectTemporaries(directory.path);
    expect(readdirSync(directory.path)).toEqual(['x.json']);
  });
});

describe('the store of an isolator', () => {
  test('is its own, per container', () => {
    const log = new FakeLog();
    const directoryOf = (id: string) => (id === 'web' ? directory.path : undefined);
    const one = new IsolatorStore('acme/a', directoryOf, log);
    const other = new IsolatorStore('acme/b', directoryOf, log);
    one.set('web', { classid: 5 });
    expect(one.get('web')).toEqual({ classid: 5 });
    expect(other.get('web')).toBeUndefined();
    one.delete('web');
    one.delete('web');
    expect(one.get('web')).toBeUndefined();
    expect(one.get('stranger')).toBeUndefined();
    expect(thrown(() => one.set('stranger', 1))).toMatchObject({ code: 'CONTAINER_UNKNOWN' });
    one.delete('stranger');
  });

  test('sets an unreadable value aside and reports it', () => {
    const log = new FakeLog();
    const store = new IsolatorStore('acme/a', () => directory.path, log);
    store.set('web', 1);
    writeFileSync(directory.join('isolator.acme+a.json'), '{"half');
    expect(store.get('web')).toBeUndefined();
    expect(existsSync(directory.join('isolator.acme+a.json.corrupt-1'))).toBe(true);
    expect(log.text).toMatch(/set aside/);
  });
});

describe('a process across restarts', () => {
  test('is told by pid, start and boot', () => {
    const own = ownMark();
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, start: '1' })).toBe(false);
    expect(isAlive({ ...own, bootId: 'another' })).toBe(false);
    expect(isAlive({ ...own, pidNamespace: 'pid:[1]' })).toBe(
      process.platform === 'linux' ? 'unknown' : true,
    );
    expect(markOf(2 ** 22 + 1)).toBeUndefined();
    expect(bootId()).toMatch(/^[\w-]+$/);
  });
});

/** A claim of a process that is dead for sure: this boot's, with a start time that none has. */
const deadClaim = (token: string) => JSON.stringify({ ...ownMark(), pid: process.pid, start: '1', token });

describe('the owner of a directory', () => {
  test('is one at a time', () => {
    const { release } = claimDirectory(directory.path);
    expect(isAbandoned(directory.path)).toBe(false);
    expect(thrown(() => claimDirectory(directory.path))).toMatchObject({
      code: 'DIRECTORY_IN_USE',
      kind: 'conflict',
    });
    release();
    expect(readdirSync(directory.path)).toEqual([]);
    claimDirectory(directory.path).release();
  });

  test('a dead one is followed', () => {
    writeFileSync(directory.join('owner'), deadClaim('aa'));
    writeFileSync(directory.join('claim.bb'), deadClaim('bb'));
    expect(isAbandoned(directory.path)).toBe(true);
    claimDirectory(directory.path);
    expect(readdirSync(directory.path)).toEqual(['owner']);
    expect(JSON.parse(readFileSync(directory.join('owner'), 'utf8')).pid).toBe(process.pid);
  });

  test('what one has not finished to write is collected once he is dead', () => {
    const own = ownMark();
    const nameOf = (mark: Partial<ProcessMark>, token: string) =>
      `claim.${makerOf({ ...own, ...mark })}-${token}`;
    const [dead, older, alive, elsewhere] = [
      nameOf({ pid: 2 ** 22 + 1 }, 'aa'),
      nameOf({ start: '1' }, 'ab'),
      nameOf({}, 'bb'),
      nameOf({ pidNamespace: 'pid:[1]' }, 'cc'),
    ];
    for (const name of [dead, older, alive, elsewhere]) {
      writeFileSync(directory.join(name), '');
      expect(isClaimFile(name)).toBe(true);
    }
    claimDirectory(directory.path);
    expect(readdirSync(directory.path).sort()).toEqual([elsewhere, alive, 'owner'].sort());
    const hourAgo = Date.now() / 1000 - 3600;
    for (const name of [alive, elsewhere]) utimesSync(directory.join(name), hourAgo, hourAgo);
    rmSync(directory.join('owner'));
    claimDirectory(directory.path);
    expect(readdirSync(directory.path)).toEqual(['owner']);
  });

  test('so is one that died while it took over, and the one after that', () => {
    writeFileSync(directory.join('owner'), deadClaim('aa'));
    writeFileSync(directory.join('takeover.aa'), deadClaim('bb'));
    writeFileSync(directory.join('takeover.bb'), deadClaim('cc'));
    claimDirectory(directory.path);
    expect(readdirSync(directory.path)).toEqual(['owner']);
  });

  test('one that takes over right now is respected', () => {
    writeFileSync(directory.join('owner'), deadClaim('aa'));
    writeFileSync(directory.join('takeover.aa'), JSON.stringify({ ...ownMark(), token: 'bb' }));
    expect(thrown(() => claimDirectory(directory.path))).toMatchObject({ code: 'DIRECTORY_IN_USE' });
  });

  test('a damaged claim is no owner', () => {
    writeFileSync(directory.join('owner'), '{"pid":');
    claimDirectory(directory.path);
  });

  test('of another pid namespace cannot be judged: refused', () => {
    if (process.platform !== 'linux') return;
    writeFileSync(
      directory.join('owner'),
      JSON.stringify({ ...ownMark(), pidNamespace: 'pid:[1]', token: 'aa' }),
    );
    expect(thrown(() => claimDirectory(directory.path)).message).toMatch(/another pid namespace/);
  });

  /** Contenders in processes of their own, all at once, on a dead owner's directory. */
  test("of many that want a dead one's place exactly one gets it", async () => {
    const script = `
      import { claimDirectory } from ${JSON.stringify(new URL('./owner.js', import.meta.url).href)};
      process.stdin.once('data', () => {
        try { claimDirectory(process.argv[1]); console.log('won'); } catch (error) { console.log(error.code); }
        process.stdin.once('end', () => process.exit());
      });
      console.log('ready');`;
    for (let round = 0; round < 3; round += 1) {
      const place = directory.join(`round${round}`);
      mkdirSync(place);
      writeFileSync(`${place}/owner`, deadClaim('aa'));
      const contenders = Array.from({ length: 5 }, () =>
        spawn(process.execPath, ['--conditions=failpoints', '--input-type=module', '-e', script, place], {
          stdio: ['pipe', 'pipe', 'inherit'],
        }),
      );
      const lines = contenders.map(({ stdout }) => stdout[Symbol.asyncIterator]());
      await Promise.all(lines.map((each) => each.next()));
      for (const { stdin } of contenders) stdin.write('go\n');
      const answers = await Promise.all(lines.map(async (each) => String((await each.next()).value).trim()));
      for (const { stdin } of contenders) stdin.end();
      expect(answers.sort()).toEqual([...Array(4).fill('DIRECTORY_IN_USE'), 'won']);
    }
  });
});
