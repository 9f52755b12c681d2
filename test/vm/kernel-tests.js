import { readdirSync } from 'node:fs';
import { ROOT } from '../../scripts/packages.js';

const FOLDERS = /^(plugin-sdk|linux|core|agent|test|plugins\/[^/]+)\/dist\//;

/** The built kernel tests whose path contains one of the filters, or all. */
export function kernelTests(filters) {
  return readdirSync(ROOT, { recursive: true })
    .filter((path) => FOLDERS.test(path) && path.endsWith('.kernel.test.js'))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .sort();
}
