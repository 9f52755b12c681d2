/** The settings that count, all as text, under the names that Mesos gives them. */
import type { AgentContext } from '../context.js';
import { flagsOfSettings } from '../settings/settings.js';

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const textOf = (value: unknown): string =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')
    ? value.join(',')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);

/** What is not set is left out. */
export function flagsOf({ settings, containers }: AgentContext): Record<string, string> {
  const { isolation, launcher } = containers?.selection ?? {};
  const all = { ...containers?.configuration.values, isolation, launcher, ...flagsOfSettings(settings) };
  return Object.fromEntries(
    Object.entries(all)
      .filter(
        ([, value]) => value !== undefined && (typeof value !== 'object' || Object.keys(value).length > 0),
      )
      .map(([name, value]) => [snake(name), textOf(value)]),
  );
}
