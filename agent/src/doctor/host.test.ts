import { describe, expect, it } from '@jest/globals';
import { describeCgroups, describeMemfd, examineHost } from './host.js';

const line = (target: string, type: string) =>
  `30 29 0:26 / ${target} rw,nosuid shared:9 - ${type} ${type} rw`;

describe('caisson doctor', () => {
  it.each([
    ['none is mounted', ['/', 'ext4']],
    ['version 2 at /sys/fs/cgroup', ['/sys/fs/cgroup', 'cgroup2']],
    ['version 1: pids', ['/sys/fs/cgroup/pids', 'cgroup']],
  ])('says of cgroups: %s', (text, [target = '', type = '']) => {
    expect(describeCgroups(line(target, type))).toBe(text);
  });

  it('says of a host with both: both', () => {
    const both = [line('/sys/fs/cgroup/pids', 'cgroup'), line('/sys/fs/cgroup/unified', 'cgroup2')];
    expect(describeCgroups(both.join('\n'))).toBe('version 2 at /sys/fs/cgroup/unified; version 1: pids');
  });

  it.each([
    [undefined, /^a sealed memfd$/],
    ['0', /^a sealed memfd/],
    ['2', /^an unlinked file/],
  ])('says what the first image of a container is, with vm.memfd_noexec %s', (setting, text) => {
    expect(describeMemfd(setting)).toMatch(text);
  });

  it('examines this host', () => {
    expect(examineHost().map(({ name }) => name)).toEqual(expect.arrayContaining(['system', 'user']));
  });
});
