import { describe, expect, it } from '@jest/globals';
import { commandLine } from './main.js';
import { takeMesosFlags } from './mesos-flags.js';

/** What the command line makes of arguments: the flags taken out, and what is left. */
function take(...argv: string[]) {
  const program = commandLine(() => {});
  const others = takeMesosFlags(program, argv);
  const command = program.commands.find((candidate) => candidate.name() === argv[0]);
  return { flags: command?.getOptionValue('mesosFlags'), others };
}

describe('takeMesosFlags', () => {
  it.each([
    ['--work_dir=/x', { work_dir: '/x' }],
    ['--container_disk_watch_interval=1mins', { container_disk_watch_interval: '1mins' }],
    ['--enforce_container_disk_quota', { enforce_container_disk_quota: true }],
    ['--no-switch_user', { switch_user: false }],
    ['--default_container_info={"a": "b=c\nd"}', { default_container_info: '{"a": "b=c\nd"}' }],
  ])('takes %s', (argument, flags) => {
    expect(take('run', argument, '--', 'true')).toEqual({ flags, others: ['run', '--', 'true'] });
  });

  it('leaves flags of our own and their values', () => {
    const ours = ['run', '--isolation', 'a/b', '-t', '--label', '--x_y=z', '--', 'true'];
    expect(take(...ours)).toEqual({ flags: {}, others: ours });
  });

  it.each([
    [['run', '--', 'x', '--a_b=c']],
    [['run', 'x', '--a_b=c']],
    [['run', '--user', 'nobody', 'x', '--a_b=c']],
  ])('leaves what belongs to the command of run: %j', (argv) => {
    expect(take(...argv)).toEqual({ flags: {}, others: argv });
  });
});
