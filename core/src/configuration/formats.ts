/** The one place where cosmiconfig is needed: it knows the formats. Imported late, for starts without a file. */
import { cosmiconfig } from 'cosmiconfig';

/** The content of a configuration file; an empty one says nothing. */
export async function parseFile(file: string): Promise<unknown> {
  const result = await cosmiconfig('caisson', { searchPlaces: [], searchStrategy: 'none' }).load(file);
  return result?.config ?? {};
}
