import { ContainerConfigSchema } from '@caisson/plugin-sdk';
import { describe, expect, it } from '@jest/globals';
import { type ContainerFlags, containerConfigOf } from './container-config.js';

const caller = {
  directory: '/home/ann',
  environment: { TERM: 'vt220', EDITOR: 'ed', EMPTY: '' },
  windowSize: { columns: 80, rows: 24 },
};
const configOf = (flags: ContainerFlags) => containerConfigOf(['sh', '-c', 'true'], flags, caller);
const always = { argv: ['sh', '-c', 'true'], stdio: 'inherit', dieWithParent: true };

describe('the flags of caisson run as a ContainerConfig', () => {
  it('says only what was given', () => expect(configOf({})).toEqual(always));

  it.each<[ContainerFlags, object]>([
    [{ rootfs: 'busybox' }, { rootfs: '/home/ann/busybox' }],
    [{ rootfs: '/srv/box' }, { rootfs: '/srv/box' }],
    [{ user: 'nobody:nogroup' }, { user: 'nobody:nogroup' }],
    [{ workdir: '/srv' }, { workingDirectory: '/srv' }],
    [{ env: ['A=b=c', 'A=d', 'E='] }, { environment: { A: 'd', E: '' } }],
    [{ env: ['EDITOR', 'EMPTY', 'UNSET'] }, { environment: { EDITOR: 'ed', EMPTY: '' } }],
    [{ label: ['team=storage'] }, { labels: { team: 'storage' } }],
    [{ rlimit: ['NOFILE=1024:2048'] }, { rlimits: { NOFILE: { soft: 1024, hard: 2048 } } }],
    [
      { rlimit: ['CORE=0', 'AS=0:unlimited'] },
      { rlimits: { CORE: { soft: 0, hard: 0 }, AS: { soft: 0, hard: 'unlimited' } } },
    ],
    [
      { resource: ['cpus=0.5', 'mem=64'], limit: ['mem=128'] },
      { resources: { cpus: 0.5, mem: 64 }, limits: { mem: 128 } },
    ],
    [{ effectiveCapabilities: 'CAP_CHOWN, KILL' }, { capabilities: { effective: ['CHOWN', 'KILL'] } }],
    [{ boundingCapabilities: '' }, { capabilities: { bounding: [] } }],
    [{ allowNewPrivileges: true }, { noNewPrivileges: false }],
    [
      { privileged: true, init: true, sharePidNamespace: true },
      { privileged: true, init: true, sharePidNamespace: true },
    ],
    [{ oomScoreAdj: '-500' }, { oomScoreAdj: -500 }],
    [
      { volume: ['/srv:/data:ro'], tmpfs: ['/tmp'] },
      {
        volumes: [
          { containerPath: '/data', mode: 'RO', source: { type: 'HOST_PATH', path: '/srv' } },
          { containerPath: '/tmp', mode: 'RW', source: { type: 'TMPFS' } },
        ],
      },
    ],
    [
      { resource: ['mem=64'], persistentVolume: ['db:data:size=1MB'] },
      {
        resources: {
          mem: 64,
          volumes: [{ disk: 1, persistence: { id: 'db' }, volume: { containerPath: 'data', mode: 'RW' } }],
        },
      },
    ],
  ])('%j becomes %j', (flags, config) => {
    expect(configOf(flags)).toEqual({ ...always, ...config });
    expect(ContainerConfigSchema.safeParse(configOf(flags)).success).toBe(true);
  });

  it("gives a terminal the caller's size and kind", () => {
    const terminal = { stdio: 'terminal', windowSize: caller.windowSize };
    expect(configOf({ terminal: true })).toEqual({ ...always, ...terminal, environment: { TERM: 'vt220' } });
    expect(configOf({ terminal: true, env: ['TERM=dumb'] }).environment).toEqual({ TERM: 'dumb' });
  });

  it.each<[string, ContainerFlags]>([
    ['--rlimit', { rlimit: ['NOFILE'] }],
    ['--rlimit', { rlimit: ['NOFILE=many'] }],
    ['--rlimit', { rlimit: ['NOFILE=1:2:3'] }],
    ['--resource', { resource: ['mem=64MB'] }],
    ['--label', { label: ['=x'] }],
    ['--oom-score-adj', { oomScoreAdj: 'low' }],
  ])('refuses %s that is not understood: %j', (flag, flags) => {
    expect(() => configOf(flags)).toThrow(
      expect.objectContaining({ code: 'FLAG_INVALID', message: expect.stringContaining(flag) }),
    );
  });

  it('hands a variable named __proto__ on, for the core to refuse, and changes no prototype (K4)', () => {
    const { environment = {} } = configOf({ env: ['__proto__=x'] });
    expect(Object.keys(environment)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(environment)).toBe(Object.prototype);
  });
});
