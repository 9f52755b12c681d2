/**
 * Who asks, and what they may do. Secrets are compared as digests, all of them each time, so that the time that it takes
 * says nothing (threat model A2, CVE-2018-8023).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { messageOf, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';

export type Right = 'read' | 'write';

export interface Principal {
  readonly name: string;
  readonly rights: readonly Right[];
  readonly isAnonymous?: true;
}

const READ: readonly Right[] = ['read'];
const BOTH: readonly Right[] = ['read', 'write'];

const text = z.string().min(1).max(4096);
const rights = z.enum(['read-only', 'read-write']).default('read-write');
const CredentialsSchema = z.strictObject({
  credentials: z.array(z.strictObject({ principal: text, secret: text, rights })).default([]),
  tokens: z.array(z.strictObject({ principal: text, token: text, rights })).default([]),
});

interface Known {
  readonly principal: Principal;
  /** Of what the header `Authorization` says. */
  readonly digest: Buffer;
}

const digestOf = (scheme: string, value: string): Buffer =>
  createHash('sha256').update(`${scheme}\0${value}`).digest();

/** The principals of a credentials file. */
export class Credentials {
  readonly #known: readonly Known[];

  constructor(input: z.input<typeof CredentialsSchema>) {
    const { credentials, tokens } = CredentialsSchema.parse(input);
    const known = (principal: string, given: z.infer<typeof rights>, digest: Buffer): Known => ({
      principal: { name: principal, rights: given === 'read-only' ? READ : BOTH },
      digest,
    });
    this.#known = [
      ...credentials.map((each) =>
        known(each.principal, each.rights, digestOf('basic', `${each.principal}:${each.secret}`)),
      ),
      ...tokens.map((each) => known(each.principal, each.rights, digestOf('bearer', each.token))),
    ];
  }

  /** JSON, or as Mesos has it too: lines of `principal secret`. @throws CREDENTIALS_INVALID */
  static read(file: string): Credentials {
    try {
      if ((statSync(file).mode & 0o077) !== 0) throw new Error('others may read it: chmod 600');
      const content = readFileSync(file, 'utf8').trim();
      return new Credentials(
        content.startsWith('{') ? JSON.parse(content) : { credentials: linesOf(content) },
      );
    } catch (error) {
      const problem =
        error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : messageOf(error);
      throw apiErrors.CREDENTIALS_INVALID(file, problem);
    }
  }

  /** Whom the header names; undefined if nobody. */
  find(authorization: string): Principal | undefined {
    const offered = digestOfHeader(authorization);
    let found: Principal | undefined;
    for (const { principal, digest } of this.#known) if (timingSafeEqual(digest, offered)) found = principal;
    return found;
  }
}

const linesOf = (content: string) =>
  content.split('\n').map((line) => {
    const [principal = '', secret = ''] = line.trim().split(/\s+/);
    return { principal, secret };
  });

function digestOfHeader(authorization: string): Buffer {
  const [, scheme = '', value = ''] = /^(basic|bearer) +(\S+) *$/i.exec(authorization) ?? [];
  return scheme.toLowerCase() === 'basic'
    ? digestOf('basic', Buffer.from(value, 'base64').toString('utf8'))
    : digestOf(scheme.toLowerCase(), value);
}

/** What a listener asks of its callers. */
export interface AccessPolicy {
  readonly credentials: Credentials | undefined;
  /** Rights that nobody has without credentials. */
  readonly protects: readonly Right[];
}

/** @throws UNAUTHENTICATED: credentials that are wrong are refused even where none are needed */
export function identify(policy: AccessPolicy, authorization: string | undefined): Principal {
  if (authorization === undefined)
    return {
      name: 'anonymous',
      rights: BOTH.filter((right) => !policy.protects.includes(right)),
      isAnonymous: true,
    };
  const found = policy.credentials?.find(authorization);
  if (!found) throw apiErrors.UNAUTHENTICATED();
  return found;
}

/** @throws UNAUTHENTICATED, NOT_AUTHORIZED */
export function authorise(principal: Principal, right: Right, what: string): void {
  if (principal.rights.includes(right)) return;
  throw principal.isAnonymous ? apiErrors.UNAUTHENTICATED() : apiErrors.NOT_AUTHORIZED(principal.name, what);
}
