/** What the suite needs of a test runner: Jest, Vitest, node:test and Mocha (as `it`) have it. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  test: ((name: string, body: () => Promise<void> | void) => unknown) & {
    skip(name: string, body: () => Promise<void> | void): unknown;
  };
}

/** The runner's globals, where it has some. */
export function globalRunner(): TestRunner {
  const { describe, test, it } = globalThis as unknown as Partial<TestRunner & { it: TestRunner['test'] }>;
  const found = test ?? it;
  if (!describe || !found)
    throw new Error('this test runner has no globals: pass it, as `runner: { describe, test }`');
  return { describe, test: found };
}
