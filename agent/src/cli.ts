/**
 * The command `caisson`: where it begins. `--version` is answered here, before the argument library is loaded,
 * so that it takes hardly longer than Node itself; everything else is loaded by the command that needs it.
 */
import { keepDebuggerClosed } from './debugger.js';
import { version } from './version.js';

keepDebuggerClosed();

const argv = process.argv.slice(2);
if (argv[0] === '--version' || argv[0] === '-V') {
  process.stdout.write(`${version()}\n`);
} else {
  const { main } = await import('./main.js');
  process.exitCode = await main(argv);
}
