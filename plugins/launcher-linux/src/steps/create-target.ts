import type { Descriptor, LaunchTable } from '../launch-table.js';

const S_IFREG = 0o100000;

const components = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/**
 * mkdir -p inside the container, one component at a time on the parent's descriptor. What exists must be a real
 * directory: a link that dangled a moment ago may point anywhere by now.
 */
export function createDirectory(table: LaunchTable, path: string, mode: number): Descriptor {
  const { from, below } = table.startOf(path);
  return components(below).reduce<Descriptor>((parent, name) => {
    table.call('mkdirat', [parent, table.string(name), mode], { tolerate: ['EEXIST'] });
    return table.openChild(parent, name, 'directory');
  }, from);
}

/** An empty regular file, with the directories above it. */
export function createFile(table: LaunchTable, path: string): void {
  const names = components(path);
  const name = names.pop() as string;
  const parent = createDirectory(table, `/${names.join('/')}`, 0o755);
  table.call('mknodat', [parent, table.string(name), S_IFREG | 0o644, 0], { tolerate: ['EEXIST'] });
  table.openChild(parent, name, 'any');
}
