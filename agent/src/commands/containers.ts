/** The commands that ask an agent: what they take. What they do is in client/, over the agent's HTTP API. */
import type { Command } from 'commander';
import type { Done } from '../main.js';
import { connect, defineAgentFlags } from './connect.js';
import { defineContainerFlags, repeated } from './container-flags.js';

const change = () => import('../client/change.js');
const show = () => import('../client/show.js');

export function defineContainers(caisson: Command, done: Done): void {
  defineLaunch(caisson, done);
  defineShowing(caisson, done);
  defineEnding(caisson, done);
  defineAgentFlags(
    caisson
      .command('update <id>')
      .description('change the resources of a running container')
      .option('--resource <name=amount>', 'cpus, mem (MiB), disk (MiB) or pids (repeatable)', repeated)
      .option('--limit <name=amount>', 'a hard limit where it differs (repeatable)', repeated)
      .option(
        '--persistent-volume <id:name:words>',
        'the persistent volumes that it shall have; without, those that it has (repeatable)',
        repeated,
      )
      .option('--no-persistent-volumes', 'it shall have none'),
  ).action(async (id: string, flags) => done(await (await change()).update(await connect(flags), id, flags)));
  defineAgentFlags(
    caisson.command('events').description('print what happens to containers, a line of JSON each'),
  ).action(async (flags) => done(await (await change()).events(await connect(flags))));
}

function defineLaunch(caisson: Command, done: Done): void {
  const launch = caisson
    .command('launch')
    .description('have the agent launch a container; prints its id once the command was executed')
    .usage('[options] [--] <command> [argument...]')
    .argument('[command...]', 'looked up in the PATH of the container')
    .passThroughOptions();
  defineContainerFlags(launch)
    .optionsGroup('Container:')
    .option('-t, --terminal', 'a terminal of its own, for `caisson attach`')
    .option('-i, --interactive', 'pipes as stdin, stdout and stderr, for `caisson attach`');
  defineAgentFlags(launch).action(async (argv: string[], flags) =>
    done(await (await change()).launch(await connect(flags), argv, flags)),
  );
}

function defineShowing(caisson: Command, done: Done): void {
  defineAgentFlags(
    caisson
      .command('ps')
      .description('list containers')
      .option('-a, --all', 'those that have ended too')
      .option('-q, --quiet', 'their ids alone')
      .option('--json', 'as JSON, for programs'),
  ).action(async (flags) => done(await (await show()).ps(await connect(flags), flags)));
  defineAgentFlags(
    caisson
      .command('inspect <id>')
      .description('print everything about a container as JSON')
      .option('--syscalls', 'print the system calls of its launch instead'),
  ).action(async (id: string, flags) => done(await (await show()).inspect(await connect(flags), id, flags)));
  defineAgentFlags(
    caisson
      .command('stats [id...]')
      .description('show what containers use; on a terminal again each second')
      .option('--once', 'only once')
      .option('--json', 'once, as JSON'),
  ).action(async (ids: string[], flags) =>
    done(await (await show()).stats(await connect(flags), ids, flags)),
  );
  defineAgentFlags(
    caisson
      .command('logs <id>')
      .description('print what a container has written')
      .option('-f, --follow', 'and what it still writes, until it ends')
      .option('--stderr', 'its stderr instead of its stdout'),
  ).action(async (id: string, flags) => {
    const { logs } = await import('../client/logs.js');
    done(await logs(await connect(flags), id, flags));
  });
}

function defineEnding(caisson: Command, done: Done): void {
  defineAgentFlags(
    caisson
      .command('wait <id>')
      .description('wait for the end of a container; exits with its status')
      .option('--json', 'print how it ended, as JSON'),
  ).action(async (id: string, flags) => done(await (await change()).wait(await connect(flags), id, flags)));
  defineAgentFlags(
    caisson
      .command('stop <id...>')
      .description('a signal, a grace period, then the end')
      .option('--signal <signal>', 'the signal (default: TERM)')
      .option('--grace <duration>', 'the grace period (default: 10secs)'),
  ).action(async (ids: string[], flags) =>
    done(await (await change()).stop(await connect(flags), ids, flags)),
  );
  defineAgentFlags(
    caisson
      .command('kill <id...>')
      .description('send a signal to the first process')
      .option('--signal <signal>', 'the signal (default: KILL)'),
  ).action(async (ids: string[], flags) =>
    done(await (await change()).kill(await connect(flags), ids, flags)),
  );
  defineAgentFlags(
    caisson
      .command('rm <id...>')
      .description('forget containers that have ended, and delete their files')
      .option('--force', 'end those that run'),
  ).action(async (ids: string[], flags) =>
    done(await (await change()).remove(await connect(flags), ids, flags)),
  );
}
