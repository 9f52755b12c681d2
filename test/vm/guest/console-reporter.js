/**
 * Jest's reporter in the guest. To the host, a line `@@{"file": ...}` when a file begins, and one with its figures when it
 * has ended; to people, why tests are skipped, and how they failed.
 */
import { relative } from 'node:path';

export default class ConsoleReporter {
  constructor({ rootDir }) {
    this.rootDir = rootDir;
  }

  onTestFileStart({ path }) {
    this.report({ file: relative(this.rootDir, path) });
  }

  onTestFileResult({ path }, result) {
    for (const { message } of result.console ?? []) if (/^skipped: /.test(message)) print(`  ${message}`);
    if (result.failureMessage) print(result.failureMessage);
    this.report({
      file: relative(this.rootDir, path),
      seconds: Math.round((result.perfStats.end - result.perfStats.start) / 1000),
      passed: result.numPassingTests,
      failed: result.numFailingTests + (result.testExecError ? 1 : 0),
      skipped: result.numPendingTests + result.numTodoTests,
    });
  }

  report(event) {
    print(`@@${JSON.stringify(event)}`);
  }
}

function print(text) {
  process.stdout.write(`${text}\n`);
}
