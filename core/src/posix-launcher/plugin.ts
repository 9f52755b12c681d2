import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { definePlugin } from '@caisson/plugin-sdk';
import type { LoadedPlugin } from '../plugin-host/load-plugin.js';
import { PosixLauncher } from './launcher.js';

const manifest = createRequire(import.meta.url).resolve('@caisson/core/package.json');

/** The launcher `posix` is part of the core: it is there wherever Node is. */
export const posixPlugin: LoadedPlugin = {
  package: {
    name: '@caisson/core',
    get version() {
      return JSON.parse(readFileSync(manifest, 'utf8')).version;
    },
    directory: dirname(manifest),
    foundFrom: dirname(fileURLToPath(import.meta.url)),
    isolators: [],
    launchers: ['posix'],
    sdkRange: undefined,
  },
  definition: definePlugin({ launchers: [{ name: 'posix', implementation: PosixLauncher }] }),
};
