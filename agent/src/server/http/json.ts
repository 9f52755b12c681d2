/**
 * The body of a call, limited before it is parsed (threat model A3): JSON.parse recurses, and an object deep enough costs
 * more to check than to send. Then as all input: no `__proto__`, no NUL, no number that is none (K4).
 */
import { apiErrors } from '../errors.js';

const DEEPEST = 64;

const OPEN = new Set([0x5b, 0x7b]); // [ {
const CLOSE = new Set([0x5d, 0x7d]); // ] }
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** How deep the brackets outside of strings nest. */
function depthOf(text: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const byte = text[i]!;
    if (inString) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPEN.has(byte)) deepest = Math.max(deepest, ++depth);
    else if (CLOSE.has(byte)) depth -= 1;
  }
  return deepest;
}

function refuseHostile(key: string, value: unknown): unknown {
  if (key === '__proto__') throw apiErrors.REQUEST_MALFORMED('the key "__proto__" is not allowed');
  if (key.includes('\0') || (typeof value === 'string' && value.includes('\0')))
    throw apiErrors.REQUEST_MALFORMED('a NUL character is not allowed');
  if (typeof value === 'number' && !Number.isFinite(value))
    throw apiErrors.REQUEST_MALFORMED(`${key}: a number that is too large`);
  return value;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws REQUEST_MALFORMED */
export function parseJson(body: Buffer): unknown {
  if (depthOf(body) > DEEPEST) throw apiErrors.REQUEST_MALFORMED(`nested deeper than ${DEEPEST} levels`);
  let text: string;
  try {
    text = decoder.decode(body);
    JSON.parse(text);
  } catch (error) {
    throw apiErrors.REQUEST_MALFORMED(`it is no JSON: ${(error as Error).message}`);
  }
  return JSON.parse(text, refuseHostile);
}
