/** How much slower this machine is than those for which the limits are: an emulated one is (test/vm). */
const slowness = Number(process.env.TEST_SLOWNESS ?? 1);

/**
 * Tests run on the compiled files (tsc -b), one file at a time: kernel tests share one machine.
 * The condition `failpoints` picks each package's dist/ build, where failpoints are compiled in.
 */
export default {
  testEnvironment: '<rootDir>/test/jest/node-environment.cjs',
  testEnvironmentOptions: { customExportConditions: ['failpoints', 'node', 'node-addons'] },
  testMatch: [
    '<rootDir>/{plugin-sdk,linux,core,agent,test}/dist/**/*.test.js',
    '<rootDir>/plugins/*/dist/**/*.test.js',
    '<rootDir>/{scripts,test/vm}/*.test.js',
  ],
  transform: {},
  maxWorkers: 1,
  workerIdleMemoryLimit: '768MB',
  testTimeout: 60_000 * slowness,
  modulePathIgnorePatterns: ['<rootDir>/.*/bundle/'],
  reporters: ['default', '<rootDir>/test/jest/closing-line-reporter.js'],
};
