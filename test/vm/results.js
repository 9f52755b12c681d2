/** What became of one test file; one that did not end counts as a failure, with the test in which the machine stopped. */
export const unfinished = ({ file, test }, problem) => ({
  file,
  problem: test ? `${problem}, in: ${test}` : problem,
  passed: 0,
  failed: 1,
  skipped: 0,
});

export const figures = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

export function describe({ file, seconds, problem, ...result }) {
  const verdict = result.failed > 0 ? 'FAIL' : 'PASS';
  return `${verdict} ${file}: ${problem ?? `${figures(result)} (${seconds} s)`}`;
}

export function total(results) {
  const sum = (key) => results.reduce((so, result) => so + result[key], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}
