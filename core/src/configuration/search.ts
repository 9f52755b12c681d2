/**
 * Where a configuration file may be: the working directory, else /etc/caisson. Never upwards: the way up from a sandbox
 * leads through directories that a container writes (threat model K1).
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { messageOf } from '@caisson/plugin-sdk';
import { coreErrors } from '../errors.js';
import { currentTrustPolicy, requireTrusted, type TrustPolicy } from '../trust.js';

export const SYSTEM_DIRECTORY = '/etc/caisson';

export const SEARCH_PLACES = [
  ...['yaml', 'yml', 'json', 'js', 'mjs'].map((extension) => `caisson.config.${extension}`),
  '.caissonrc',
  ...['json', 'yaml', 'yml', 'js', 'mjs', 'cjs'].map((extension) => `.caissonrc.${extension}`),
  'package.json',
];

const CODE = ['.js', '.mjs', '.cjs'];

export interface FoundFile {
  readonly file: string;
  readonly content: unknown;
}

export interface SearchOptions {
  /** `--config`: then nothing is searched. */
  readonly file?: string | undefined;
  readonly directory: string;
  readonly systemDirectory?: string | undefined;
  readonly trust?: TrustPolicy | undefined;
}

/**
 * Reads the file named, or the first one found.
 *
 * @throws CONFIG_UNREADABLE, PATH_UNTRUSTED, CONFIG_CODE_REFUSED
 */
export async function readConfigurationFile(options: SearchOptions): Promise<FoundFile | undefined> {
  const { directory, systemDirectory = SYSTEM_DIRECTORY, trust = currentTrustPolicy() } = options;
  const named = options.file === undefined ? undefined : resolve(directory, options.file);
  const file = named ?? findIn(directory) ?? findIn(systemDirectory);
  if (file === undefined) return undefined;
  requireReadable(file);
  requireTrusted(file, 'configuration file', trust);
  const isChosen = named !== undefined || dirname(file) === systemDirectory;
  if (trust.uid === 0 && !isChosen && CODE.includes(extname(file)))
    throw coreErrors.CONFIG_CODE_REFUSED(file);
  return { file, content: await load(file) };
}

const findIn = (directory: string): string | undefined =>
  SEARCH_PLACES.map((place) => join(directory, place)).find(isConfiguration);

function isConfiguration(file: string): boolean {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return false;
  return !file.endsWith('/package.json') || saysConfiguration(file);
}

/** The `caisson` of a plugin's package.json lists what the plugin brings. */
function saysConfiguration(manifest: string): boolean {
  try {
    const { caisson } = JSON.parse(readFileSync(manifest, 'utf8'));
    return typeof caisson === 'object' && caisson !== null && !caisson.isolators && !caisson.launchers;
  } catch {
    return false;
  }
}

function requireReadable(file: string): void {
  try {
    if (!statSync(file).isFile()) throw new Error('it is no regular file');
  } catch (error) {
    throw coreErrors.CONFIG_UNREADABLE(file, messageOf(error));
  }
}

async function load(file: string): Promise<unknown> {
  try {
    const { parseFile } = await import('./formats.js');
    return await parseFile(file);
  } catch (error) {
    throw coreErrors.CONFIG_UNREADABLE(file, messageOf(error));
  }
}
