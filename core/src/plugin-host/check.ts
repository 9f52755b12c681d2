import type { Configuration } from '../configuration/values.js';
import { Catalogue } from './catalogue.js';
import { Generation } from './generation.js';
import { checkOptions } from './options.js';
import { currentHost } from './requirements.js';
import { type Selection, selectPlugins } from './selection.js';
import { silentHost } from './silent-host.js';

/**
 * Would a start with this configuration succeed on this host, and with which isolators? Everything that it names is
 * loaded, checked and created, and nothing is kept: no directory is made.
 *
 * @throws what `Containerizer.create` throws of configuration and plugins
 */
export async function checkConfiguration(configuration: Configuration): Promise<Selection> {
  const catalogue = new Catalogue(configuration.directory, configuration.values.plugins);
  const { set, selection } = await selectPlugins(configuration, currentHost(), catalogue);
  const options = checkOptions(configuration, set, catalogue);
  const host = silentHost(configuration.values, selection);
  await Generation.create(set, selection, options, host).close();
  return selection;
}
