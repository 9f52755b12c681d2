import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { PersistentVolume } from './persistent-volume.js';
import { changePersistentVolumes } from './persistent-volume-change.js';
import {
  giveBackPersistentVolumes,
  nameInSandbox,
  noteVolumesOf,
  takePersistentVolume,
} from './persistent-volume-use.js';
import { TemporaryHost } from './testing/fake-container.js';
import { RecordingLogger } from './testing/fake-services.js';

const volume = (id = 'db', more: Partial<PersistentVolume> = {}): PersistentVolume => ({
  disk: 1,
  persistence: { id },
  volume: { containerPath: 'data', mode: 'RW' },
  ...more,
});

let host: TemporaryHost;
beforeEach(() => {
  host = new TemporaryHost();
  mkdirSync(host.workDir);
});
afterEach(() => {
  for (const id of ['web', 'other']) giveBackPersistentVolumes(host.workDir, id);
  host.remove();
});

const take = (id: string, which = volume(), reachable = false) =>
  takePersistentVolume(host.workDir, { id, user: undefined }, which, { reachable });
const modeOf = (path: string) => statSync(path).mode & 0o7777;

describe('the directory of a persistent volume', () => {
  test('is made at its first use, behind a guard that others cannot search (F8)', () => {
    const { path } = take('web');
    const role = dirname(path);
    const guard = dirname(dirname(role));
    expect(path).toBe(join(host.workDir, 'volumes/roles/*/db'));
    expect([guard, role, path].map(modeOf)).toEqual([0o700, 0o711, 0o755]);
    writeFileSync(join(path, 'kept'), '');
    expect(existsSync(join(take('web').path, 'kept'))).toBe(true);
  });

  test('whose guard is opened for a user who gets to it by its path', () => {
    const user = { uid: 1000, gid: 1000, supplementaryGids: [] };
    const guard = join(host.workDir, 'volumes');
    take('web');
    takePersistentVolume(host.workDir, { id: 'web', user: { ...user, uid: 0 } }, volume(), {
      reachable: true,
    });
    expect(modeOf(guard)).toBe(0o700);
    if (process.getuid?.() !== 0) return;
    takePersistentVolume(host.workDir, { id: 'web', user }, volume(), { reachable: true });
    expect(modeOf(guard)).toBe(0o711);
  });

  test('is refused where it cannot be', () => {
    mkdirSync(join(host.workDir, 'volumes/roles/*'), { recursive: true });
    writeFileSync(join(host.workDir, 'volumes/roles/*/db'), '');
    expect(() => take('web')).toThrow(expect.objectContaining({ code: 'VOLUME_UNAVAILABLE' }));
  });
});

describe('one container uses a volume, or all that share it', () => {
  const inUse = expect.objectContaining({ code: 'VOLUME_IN_USE', kind: 'conflict' });

  test('until it gives it back', () => {
    take('web');
    expect(() => take('other')).toThrow(inUse);
    giveBackPersistentVolumes(host.workDir, 'web');
    take('other');
  });

  test('only if both say so', () => {
    const shared = volume('db', { shared: true });
    take('web', shared);
    take('other', shared);
    giveBackPersistentVolumes(host.workDir, 'other', [shared]);
    expect(() => take('other')).toThrow(inUse);
  });

  test('a use that came to nothing is given back, one that was there before stays', () => {
    take('web').giveBack();
    take('other');
    take('other').giveBack();
    expect(() => take('web')).toThrow(inUse);
  });

  test('also after a restart', () => {
    noteVolumesOf(host.workDir, { id: 'web', resources: { volumes: [volume()] } });
    expect(() => take('other')).toThrow(inUse);
  });
});

test.each(['a/b', '/data', './stdout', 'containers', 'stderr/'])(
  'F1: nobody has one at %j',
  (containerPath) => {
    const at = volume('db', { volume: { containerPath, mode: 'RW' } });
    expect(() => nameInSandbox('web', at)).toThrow(expect.objectContaining({ code: 'VOLUME_PLACE_INVALID' }));
  },
);

test('./data/ is data', () => {
  expect(nameInSandbox('web', volume('db', { volume: { containerPath: './data/', mode: 'RW' } }))).toBe(
    'data',
  );
});

describe('a change of volumes', () => {
  const names = (list: readonly string[]) => list.map((id) => volume(id));
  const change = async (before: PersistentVolume[], after: PersistentVolume[], failing?: string) => {
    const done: string[] = [];
    const act = (sign: string) => (each: PersistentVolume) => {
      if (sign + each.persistence.id === failing) throw new Error('busy');
      done.push(sign + each.persistence.id);
    };
    const log = new RecordingLogger();
    const changing = { workDir: '/work', before, after, log, add: act('+'), remove: act('-') };
    const error = await changePersistentVolumes(changing).catch((thrown: Error) => thrown.message);
    return { done, error, warnings: log.lines.length };
  };

  test('takes away, then adds; what stays is not touched, even if its size is another', async () => {
    const before = names(['a', 'b']);
    const after = [volume('b', { disk: 2 }), volume('c')];
    expect(await change(before, after)).toEqual({ done: ['-a', '+c'], error: undefined, warnings: 0 });
  });

  test('another mode or place is another volume', async () => {
    const readOnly = volume('a', { volume: { containerPath: 'data', mode: 'RO' } });
    expect((await change(names(['a']), [readOnly])).done).toEqual(['-a', '+a']);
  });

  test('that fails is undone, in reverse', async () => {
    expect(await change(names(['a']), names(['b', 'c']), '+c')).toEqual({
      done: ['-a', '+b', '-b', '+a'],
      error: 'busy',
      warnings: 0,
    });
  });

  test('that can be undone only in part says so, and goes on', async () => {
    const done = await change(names(['a']), names(['b', 'c']), '+c');
    expect(done.done).toHaveLength(4);
    const log = new RecordingLogger();
    const stuck = () => {
      throw new Error('stuck');
    };
    const added: string[] = [];
    const changing = changePersistentVolumes({
      workDir: '/work',
      before: [],
      after: names(['a', 'b']),
      log,
      add: (each) => {
        if (each.persistence.id === 'b') throw new Error('full');
        added.push(each.persistence.id);
      },
      remove: stuck,
    });
    await expect(changing).rejects.toThrow('full');
    expect(log.lines).toEqual([expect.objectContaining({ level: 'warn', fields: { error: 'stuck' } })]);
  });
});
