import type { Configuration } from '../configuration/values.js';
import { Catalogue } from './catalogue.js';
import { Generation, type GenerationHost } from './generation.js';
import { checkOptions } from './options.js';
import { currentHost } from './requirements.js';
import { type Selection, selectPlugins } from './selection.js';

export interface PreparedGeneration {
  readonly selection: Selection;
  /** Creates the isolators and the launcher. @throws PLUGIN_START_FAILED, TAP_REFUSED */
  create(host: Omit<GenerationHost, 'environment'> & { readonly directories: Directories }): Generation;
}

interface Directories {
  readonly workDir: string;
  readonly runtimeDir: string;
}

/** Everything about a configuration that can be checked before something is created. */
export async function prepareGeneration(configuration: Configuration): Promise<PreparedGeneration> {
  const catalogue = new Catalogue(configuration.directory, configuration.values.plugins);
  const { set, selection } = await selectPlugins(configuration, currentHost(), catalogue);
  const options = checkOptions(configuration, set, catalogue);
  return {
    selection,
    create({ directories, ...host }) {
      const { launcher, isolation } = selection;
      return Generation.create(set, selection, options, {
        ...host,
        environment: { ...directories, launcher, isolation },
      });
    },
  };
}

/**
 * What the configuration comes to on this host, checked without creating anything: packages, requirements, options.
 *
 * @throws what Containerizer.create would throw for it
 */
export async function checkConfiguration(configuration: Configuration): Promise<Selection> {
  return (await prepareGeneration(configuration)).selection;
}
