/**
 * The command `caisson`: where it begins. `--version` is answered here, before the argument library is loaded,
 * so that it takes hardly longer than Node itself; everything else is loaded by the command that needs it.
 */
import { createRequire } from 'node:module';
import { keepDebuggerClosed } from './debugger.js';
import { version } from './version.js';

keepDebuggerClosed();

const argv = process.argv.slice(2);
if (argv[0] === '--version' || argv[0] === '-V') {
  process.stdout.write(`${version()}\n`);
} else {
  // Not `import()`, which waits for Node's loader of ES modules.
  const { main } = createRequire(import.meta.url)('./index.js') as typeof import('./index.js');
  const status = main(argv);
  // Everything is closed and written by now; a natural end would take Node 8 ms to tidy up.
  void status.then((status) => process.exit(status));
}
