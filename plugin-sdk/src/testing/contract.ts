import { describeDefinition } from './contract-definition.js';
import { describeLife } from './contract-life.js';
import { describeTaps } from './contract-taps.js';
import type { ContainerOverrides } from './fake-container.js';
import { globalRunner, type TestRunner } from './runner.js';
import { definitionOf, type StartOptions } from './started-isolator.js';

export interface IsolatorContract extends StartOptions {
  /** What a container must have for this isolator, such as a root filesystem. `index` is 0, 1, ...: two at once differ. */
  readonly container?: ((index: number) => ContainerOverrides) | undefined;
  /**
   * Why the phases can't be called here, such as "needs root". Default: what `requires` says of this host. The definition,
   * the options and the taps are tested all the same.
   */
  readonly skipLife?: string | undefined;
  /** Statistics and status fields beyond those of the SDK that the isolator fills in. */
  readonly fields?: readonly string[] | undefined;
  /** Default: the globals of the test runner. */
  readonly runner?: TestRunner | undefined;
}

/**
 * The suite that every isolator passes: what the core relies on and no isolator should have to prove by itself.
 *
 *     import plugin from './index.js';
 *     describeIsolatorContract({ plugin, isolator: 'namespaces/pid' });
 *
 * It starts the isolator with services in memory, directories that exist, and a sleeping process as the container's first.
 */
export function describeIsolatorContract(contract: IsolatorContract): void {
  const { runner = globalRunner() } = contract;
  const definition = definitionOf(contract.plugin, contract.isolator);
  runner.describe(`the contract of an isolator: ${definition.name}`, () => {
    describeDefinition(contract, definition, runner);
    describeTaps(contract, definition, runner);
    describeLife(contract, definition, runner);
  });
}
