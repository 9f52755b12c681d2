import type { Program } from '@caisson/linux/exec-stage';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { ComingLaunches } from './coming-launches.js';
import type { ForkServer, LaunchKind } from './fork-server.js';

const kindOf = (name: string): LaunchKind => ({
  program: { name } as unknown as Program,
  flags: 0,
  holdsHost: false,
});

/** What it was asked for, in order; how many are ready is up to the test. */
class FakeServer {
  readonly asked: string[] = [];
  alive = true;
  ready = 1;
  isReadyFor = () => this.ready > 0;
  prepare = ({ program }: LaunchKind, most?: number) =>
    this.asked.push(`${(program as unknown as { name: string }).name} ${most ?? 'all'}`);
  end = () => this.asked.push('end');
}

let servers: FakeServer[];
let launches: ComingLaunches;
const server = () => servers.at(-1) as FakeServer;

beforeEach(() => {
  jest.useFakeTimers();
  servers = [];
  launches = new ComingLaunches(() => {
    servers.push(new FakeServer());
    return server() as unknown as ForkServer;
  });
});
afterEach(() => void jest.useRealTimers());

test('the first command that could be forked starts the server, once all is quiet', () => {
  launches.executed(undefined);
  expect(launches.server).toBeUndefined();
  jest.runAllTimers();
  expect(launches.server).toBe(server());
  expect(server().asked).toEqual([]);
});

test('each kind that was launched is prepared once nothing was launched or has ended for a while', () => {
  launches.executed(kindOf('a'));
  jest.advanceTimersByTime(2);
  launches.ended(kindOf('a'));
  launches.executed(kindOf('b'));
  jest.advanceTimersByTime(2);
  expect(servers).toEqual([]);
  jest.advanceTimersByTime(2);
  expect(server().asked).toEqual(['a all', 'b all']);
  jest.runAllTimers();
  expect(server().asked).toHaveLength(2);
});

test('where nothing is ready, one is prepared at once, behind whoever waits for the end', () => {
  launches.executed(kindOf('a'));
  jest.runAllTimers();
  server().ready = 0;
  launches.ended(kindOf('a'));
  expect(server().asked).toEqual(['a all']);
  jest.advanceTimersByTime(0);
  expect(server().asked).toEqual(['a all', 'a 1']);
});

test('in a row that is longer than what is kept ready, it is while the command runs; until it is quiet again', () => {
  const kind = kindOf('a');
  const executed = () => {
    launches.executed(kind);
    jest.advanceTimersByTime(0);
  };
  launches.executed(kind);
  jest.runAllTimers();
  server().ready = 0;
  executed();
  executed();
  expect(server().asked).toEqual(['a all']);
  executed();
  expect(server().asked).toEqual(['a all', 'a 1']);
  jest.runAllTimers();
  expect(server().asked).toEqual(['a all', 'a 1', 'a all']);
  executed();
  expect(server().asked).toHaveLength(3);
});

test('a server that was found dead is ended, and another one started', () => {
  launches.executed(kindOf('a'));
  jest.runAllTimers();
  server().alive = false;
  launches.executed(kindOf('a'));
  jest.runAllTimers();
  expect(servers.map(({ asked }) => asked)).toEqual([['a all', 'end'], ['a all']]);
});

test('after it was closed nothing is started or prepared any more', () => {
  launches.executed(kindOf('a'));
  jest.runAllTimers();
  server().ready = 0;
  launches.ended(kindOf('a'));
  launches.close();
  launches.executed(kindOf('a'));
  jest.runAllTimers();
  expect(servers.map(({ asked }) => asked)).toEqual([['a all', 'end']]);
});
