import { readdirSync } from 'node:fs';
import { ROOT } from '../../scripts/packages.js';

const FOLDERS = /^(plugin-sdk|linux|core|agent|test|plugins\/[^/]+)\/dist\//;

/** The built kernel tests, or those of them in whose path a name, or several, begin as one of the filters says. */
export function kernelTests(filters) {
  return readdirSync(ROOT, { recursive: true })
    .filter((path) => FOLDERS.test(path) && path.endsWith('.kernel.test.js'))
    .filter((path) => filters.length === 0 || filters.some((filter) => `/${path}`.includes(`/${filter}`)))
    .sort();
}
