/** Whether a version of the SDK is one that a plugin is made for. */

const CARET = /^\^([1-9]\d{0,8})\.(\d{1,9})\.(\d{1,9})$/;
const RELEASE = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/;

/** Of `^1.2.3`, what nearly every plugin says; undefined for anything else. */
export function isWithinCaret(version: string, range: string): boolean | undefined {
  const [, ...lowest] = CARET.exec(range)?.map(Number) ?? [];
  const [, ...running] = RELEASE.exec(version)?.map(Number) ?? [];
  const [major, minor = 0, patch = 0] = lowest;
  const [runningMajor, runningMinor = 0, runningPatch = 0] = running;
  if (major === undefined || runningMajor === undefined) return undefined;
  if (runningMajor !== major) return false;
  return runningMinor === minor ? runningPatch >= patch : runningMinor > minor;
}

/** The grammar of semver is loaded where a range needs it: it takes 2 ms of a start. */
export async function isWithin(version: string, range: string): Promise<boolean> {
  const known = isWithinCaret(version, range);
  if (known !== undefined) return known;
  const { default: satisfies } = await import('semver/functions/satisfies.js');
  return satisfies(version, range, { includePrerelease: true });
}
