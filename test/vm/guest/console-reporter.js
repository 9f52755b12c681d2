/**
 * Jest's reporter in the guest. To the host, a line `@@{"file": ...}` when a file begins, one with the test's name too
 * when a test does, and one with figures when the file has ended; to people, why tests are skipped, how they failed, and
 * which were slow.
 */
import { relative } from 'node:path';

const SLOW_SECONDS = 60;

export default class ConsoleReporter {
  constructor({ rootDir }) {
    this.rootDir = rootDir;
  }

  onTestFileStart({ path }) {
    this.report({ file: relative(this.rootDir, path) });
  }

  onTestCaseStart({ path }, { ancestorTitles, title }) {
    this.report({ file: relative(this.rootDir, path), test: [...ancestorTitles, title].join(' ') });
  }

  onTestCaseResult(_test, { fullName, duration }) {
    const seconds = Math.round((duration ?? 0) / 1000);
    if (seconds >= SLOW_SECONDS) print(`  slow: ${fullName} (${seconds} s)`);
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
