/** Prints `N passed, N failed, N skipped` as the last line, once every file has run. */
export default class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    // After Jest's own summary, which goes to stderr too.
    setImmediate(() => console.log(`${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped`));
  }
}
