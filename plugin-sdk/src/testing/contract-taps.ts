import assert from 'node:assert/strict';
import type { IsolatorDefinition } from '../define-plugin.js';
import type { IsolatorContract } from './contract.js';
import type { TestRunner } from './runner.js';
import { StartedIsolator } from './started-isolator.js';

/** Tests of how it taps the hooks. The core refuses what these refuse, at start. */
export function describeTaps(
  contract: IsolatorContract,
  { name }: IsolatorDefinition,
  { test }: TestRunner,
): void {
  test('it taps hooks under its own name', () => {
    const { taps } = new StartedIsolator(contract);
    assert.ok(taps.length > 0, 'it taps nothing: then it does nothing');
    assert.deepEqual([...new Set(taps.map((tap) => tap.name))], [name]);
  });

  test('it taps each hook at most once', () => {
    const phases = new StartedIsolator(contract).taps.map(({ phase }) => phase);
    assert.deepEqual(phases, [...new Set(phases)]);
  });

  test('its taps have no place of their own: order comes from the configuration', () => {
    const placed = new StartedIsolator(contract).taps.filter(
      ({ stage, before }) => stage !== undefined || before !== undefined,
    );
    assert.deepEqual(
      placed.map(({ phase }) => phase),
      [],
    );
  });

  test('what prepare or isolate may have made, cleanup undoes', () => {
    const { taps } = new StartedIsolator(contract);
    const tapped = (phase: string) => taps.some((tap) => tap.phase === phase);
    // A plan needs no undoing, so an isolator that only prepares needs no cleanup.
    assert.ok(!tapped('watch') || tapped('cleanup'), 'it watches containers and never stops: tap cleanup');
  });
}
