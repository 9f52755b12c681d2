import { describe, expect, test } from '@jest/globals';
import { asRoot, inMountNamespace, withCensus } from '../testing/index.js';

withCensus();

const rootTest = asRoot(test);

/** Each errno that a docstring promises, in one process with a mount namespace of its own. */
describe('mounting', () => {
  rootTest('fails as the docstrings say', () => {
    const codes = inMountNamespace(({ syscalls: s, fs }) => {
      const code = (attempt: () => unknown): string => {
        try {
          attempt();
          return 'ok';
        } catch (error) {
          return `${(error as { syscall: string }).syscall} ${(error as { code: string }).code}`;
        }
      };
      s.mount({ source: 'none', target: '/mnt', type: 'tmpfs' });
      for (const name of ['a', 'b', 'busy', 'shared']) fs.mkdirSync(`/mnt/${name}`);
      fs.writeFileSync('/mnt/file', '');
      s.mount({ source: 'none', target: '/mnt/busy', type: 'tmpfs' });
      const inUse = fs.openSync('/mnt/busy', 'r');
      const tmpfs = s.fsopen('tmpfs');
      s.fsconfig(tmpfs, s.FSCONFIG.CMD_CREATE);
      const clone = s.openTree(s.AT_FDCWD, '/mnt/busy', s.OPEN_TREE.OPEN_TREE_CLONE);
      const { F_EMPTY_PATH } = s.MOVE_MOUNT;
      const answers = {
        mountNoTarget: code(() => s.mount({ source: 'none', target: '/mnt/none', type: 'tmpfs' })),
        mountNoFilesystem: code(() => s.mount({ source: 'none', target: '/mnt/a', type: 'nonsense' })),
        mountBusy: code(() => {
          const writer = fs.openSync('/mnt/busy/w', 'w');
          try {
            s.mount({ target: '/mnt/busy', flags: s.MS.MS_REMOUNT | s.MS.MS_RDONLY });
          } finally {
            fs.closeSync(writer);
          }
        }),
        umountBusy: code(() => s.umount('/mnt/busy')),
        umountNoMount: code(() => s.umount('/mnt/a')),
        umountNoPath: code(() => s.umount('/mnt/none')),
        pivotNoMount: code(() => s.pivotRoot('/mnt/a', '/mnt/a')),
        pivotBusy: code(() => s.pivotRoot('/', '/')),
        openTreeNoPath: code(() => s.openTree(s.AT_FDCWD, '/mnt/none', 0)),
        openTreeFlag: code(() => s.openTree(s.AT_FDCWD, '/mnt', 0x40000000)),
        openTreeUnbindable: code(() => {
          s.mount({ target: '/mnt/busy', flags: s.MS.MS_UNBINDABLE });
          try {
            s.openTree(s.AT_FDCWD, '/mnt/busy', s.OPEN_TREE.OPEN_TREE_CLONE);
          } finally {
            s.mount({ target: '/mnt/busy', flags: s.MS.MS_PRIVATE });
          }
        }),
        moveNoTarget: code(() => s.moveMount(clone, '', s.AT_FDCWD, '/mnt/none', F_EMPTY_PATH)),
        moveOnFile: code(() => s.moveMount(clone, '', s.AT_FDCWD, '/mnt/file', F_EMPTY_PATH)),
        moveNoMount: code(() => s.moveMount(s.AT_FDCWD, '/mnt/a', s.AT_FDCWD, '/mnt/b', 0)),
        moveIntoItself: code(() => s.moveMount(s.AT_FDCWD, '/mnt', s.AT_FDCWD, '/mnt/a', 0)),
        setattrNoMount: code(() => s.mountSetattr(s.AT_FDCWD, '/mnt/a', 0, s.mountAttributes(1))),
        setattrUnknown: code(() => s.mountSetattr(s.AT_FDCWD, '/mnt', 0, s.mountAttributes(0x40000000))),
        fsopenNone: code(() => s.fsopen('nonsense')),
        fsconfigOption: code(() => {
          const fs2 = s.fsopen('tmpfs');
          try {
            s.fsconfig(fs2, s.FSCONFIG.SET_STRING, 'nonsense', '1');
          } finally {
            s.close(fs2);
          }
        }),
        fsconfigCreated: code(() => s.fsconfig(tmpfs, s.FSCONFIG.CMD_CREATE)),
        fsmountAttributes: code(() => s.fsmount(tmpfs, 0, 0x40000000)),
      };
      fs.closeSync(inUse);
      process.setegid?.(65534);
      process.seteuid?.(65534);
      return {
        ...answers,
        mountUser: code(() => s.mount({ source: 'none', target: '/mnt/a', type: 'tmpfs' })),
        umountUser: code(() => s.umount('/mnt/busy')),
        cloneUser: code(() => s.openTree(s.AT_FDCWD, '/mnt', s.OPEN_TREE.OPEN_TREE_CLONE)),
        fsopenUser: code(() => s.fsopen('tmpfs')),
        fsmountUser: code(() => s.fsmount(tmpfs, 0, 0)),
      };
    }, null);
    expect(codes).toEqual({
      mountNoTarget: 'mount ENOENT',
      mountNoFilesystem: 'mount ENODEV',
      mountBusy: 'mount EBUSY',
      umountBusy: 'umount2 EBUSY',
      umountNoMount: 'umount2 EINVAL',
      umountNoPath: 'umount2 ENOENT',
      pivotNoMount: 'pivot_root EINVAL',
      pivotBusy: 'pivot_root EBUSY',
      openTreeNoPath: 'open_tree ENOENT',
      openTreeFlag: 'open_tree EINVAL',
      openTreeUnbindable: 'open_tree EINVAL',
      moveNoTarget: 'move_mount ENOENT',
      moveOnFile: 'move_mount EINVAL',
      moveNoMount: 'move_mount EINVAL',
      moveIntoItself: 'move_mount ELOOP',
      setattrNoMount: 'mount_setattr EINVAL',
      setattrUnknown: 'mount_setattr EINVAL',
      fsopenNone: 'fsopen ENODEV',
      fsconfigOption: 'fsconfig EINVAL',
      fsconfigCreated: 'fsconfig EBUSY',
      fsmountAttributes: 'fsmount EINVAL',
      mountUser: 'mount EPERM',
      umountUser: 'umount2 EPERM',
      cloneUser: 'open_tree EPERM',
      fsopenUser: 'fsopen EPERM',
      fsmountUser: 'fsmount EPERM',
    });
  });

  rootTest('F2: by descriptor, read-only with everything below', () => {
    const seen = inMountNamespace(({ syscalls: s, fs }) => {
      s.mount({ source: 'none', target: '/mnt', type: 'tmpfs' });
      for (const name of ['source', 'target']) fs.mkdirSync(`/mnt/${name}`);
      fs.mkdirSync('/mnt/source/below');
      s.mount({ source: 'none', target: '/mnt/source/below', type: 'tmpfs' });
      const { OPEN_TREE_CLONE, AT_RECURSIVE } = s.OPEN_TREE;
      const bind = (recursive: boolean) => {
        const tree = s.openTree(s.AT_FDCWD, '/mnt/source', OPEN_TREE_CLONE | AT_RECURSIVE);
        const readOnly = s.mountAttributes(s.MOUNT_ATTR.MOUNT_ATTR_RDONLY);
        s.mountSetattr(tree, '', s.AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), readOnly);
        s.moveMount(tree, '', s.AT_FDCWD, '/mnt/target', s.MOVE_MOUNT.F_EMPTY_PATH);
        const writable = ['', '/below'].map((path) => {
          try {
            fs.writeFileSync(`/mnt/target${path}/file`, '');
            return 'written';
          } catch (error) {
            return (error as { code: string }).code;
          }
        });
        s.umount('/mnt/target', s.UMOUNT.MNT_DETACH);
        s.close(tree);
        return writable;
      };
      return [bind(false), bind(true)];
    }, null);
    // Without the flag, the mount below stays writable: what F2 is about.
    expect(seen).toEqual([
      ['EROFS', 'written'],
      ['EROFS', 'EROFS'],
    ]);
  });

  rootTest('F6: a mount made after MS_SLAVE does not reach the namespace it came from', () => {
    const reached = inMountNamespace(({ syscalls: s, proc, childProcess, fs }) => {
      s.mount({ source: 'none', target: '/mnt', type: 'tmpfs' });
      s.mount({ target: '/mnt', flags: s.MS.MS_SHARED });
      fs.mkdirSync('/mnt/x');
      const below = (propagation: string) => {
        const script = 'mount -t tmpfs none /mnt/x';
        childProcess.execFileSync('unshare', ['--mount', `--propagation=${propagation}`, 'sh', '-c', script]);
        const found = proc.readMountinfo().filter(({ mountPoint }) => mountPoint === '/mnt/x').length;
        if (found) s.umount('/mnt/x');
        return found;
      };
      return [below('unchanged'), below('slave')];
    }, null);
    expect(reached).toEqual([1, 0]);
  });
});
