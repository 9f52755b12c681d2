import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { ServiceManager } from './notify.js';

const directory = mkdtempSync(join(tmpdir(), 'caisson-notify-'));
const told = join(directory, 'told');
writeFileSync(join(directory, 'systemd-notify'), '#!/bin/sh\necho "$@" >> "$TOLD"\n');
chmodSync(join(directory, 'systemd-notify'), 0o755);
afterAll(() => rmSync(directory, { recursive: true }));

const log = { debug() {}, info() {}, warn() {}, error() {} };
const environment = {
  PATH: `${directory}:/usr/bin:/bin`,
  TOLD: told,
  NOTIFY_SOCKET: '/nowhere',
  WATCHDOG_USEC: '40000',
};

/** Resolves once the manager was told this. */
const isTold = (pattern: RegExp): Promise<void> =>
  new Promise((resolve) => {
    const watcher = watch(directory, look);
    function look(): void {
      if (!existsSync(told) || !pattern.test(readFileSync(told, 'utf8'))) return;
      watcher.close();
      resolve();
    }
    look();
  });

test('the manager hears of each step, and of the event loop at half its time', async () => {
  const manager = new ServiceManager(log, environment);
  manager.ready('serving');
  await isTold(new RegExp(`--pid=${process.pid} --ready --status=serving`));
  await isTold(/WATCHDOG=1[\s\S]*WATCHDOG=1/);
  manager.reloading();
  await isTold(/--reloading/);
  manager.stopping();
  await isTold(/--stopping/);
});

test('without a manager nothing is started', () => {
  new ServiceManager(log, { PATH: '/nonexistent' }).ready('serving');
});

test('a manager that cannot be told is reported once', async () => {
  const lines: string[] = [];
  const reported = new Promise<void>((resolve) => {
    const manager = new ServiceManager(
      { ...log, warn: (_fields, message) => resolve(void lines.push(message)) },
      { PATH: '/nonexistent', NOTIFY_SOCKET: '/nowhere' },
    );
    manager.ready('serving');
    manager.reloading();
  });
  await reported;
  await new Promise(setImmediate);
  expect(lines).toEqual(['the service manager cannot be told']);
});
