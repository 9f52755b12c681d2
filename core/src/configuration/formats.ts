/** The one place where cosmiconfig is needed: it knows the formats. Imported late, for starts without a file. */
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { defaultLoaders } from 'cosmiconfig';

/**
 * The content of a configuration file; an empty one says nothing.
 *
 * Of cosmiconfig only the loaders: its explorer looks for settings of its own first, and executes a `.config/config.js`
 * in the working directory, whoever put it there (threat model K1). It also follows `$import` to files that nobody has
 * checked.
 */
export async function parseFile(file: string): Promise<unknown> {
  const load = loaderOf(file);
  const content = readFileSync(file, 'utf8');
  if (content.trim() === '') return {};
  const loaded = await load(file, content);
  return (basename(file) === 'package.json' ? loaded?.caisson : loaded) ?? {};
}

function loaderOf(file: string) {
  const extension = extname(file) || 'noExt';
  if (!Object.hasOwn(defaultLoaders, extension))
    throw new Error(`its name ends in ${extension}; yaml, yml, json, js, mjs and cjs can be read`);
  return defaultLoaders[extension as keyof typeof defaultLoaders];
}
