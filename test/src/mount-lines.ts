/** One line of /proc/<pid>/mounts (fstab(5)). */
export interface MountLine {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

export const parseMounts = (text: string): MountLine[] =>
  text
    .split('\n')
    .filter((line) => /^\S+ \/\S* \S+ \S+ 0 0$/.test(line))
    .map((line) => {
      const [source = '', target = '', type = '', options = ''] = line.split(' ');
      return { source, target, type, options: options.split(',') };
    });

const FLAGS = ['ro', 'rw', 'nosuid', 'nodev', 'noexec'];

/** The flags that protect, in this order; not those of the filesystem or of access times. */
export const flagsOf = (options: readonly string[]): string[] =>
  FLAGS.filter((flag) => options.includes(flag));
