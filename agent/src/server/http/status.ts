/** What an error is in HTTP: by its code where the protocol names a status, else by its kind. */
import { type CaissonError, type ErrorKind, isCaissonError, messageOf } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';

/** Input alone never makes a 5xx: what this host cannot do, the caller should not have asked for. */
const BY_KIND: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unsupported: 400,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  failed: 500,
  exhausted: 503,
  timeout: 504,
};

const BY_CODE: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  BODY_TOO_LARGE: 413,
  RECORD_TOO_LARGE: 413,
  REQUEST_LATE: 408,
  MEDIA_TYPE_UNSUPPORTED: 415,
  CALL_NOT_IMPLEMENTED: 501,
  RECOVERING: 503,
  CONTAINERIZER_CLOSED: 503,
};

export const statusOf = ({ code, kind }: CaissonError): number => BY_CODE[code] ?? BY_KIND[kind] ?? 500;

/** Errors of the HTTP library have a status: those of the request are told, the rest is ours. */
export function asApiError(thrown: unknown, bodyLimit: number): CaissonError {
  const { statusCode } = (thrown ?? {}) as { statusCode?: unknown };
  if (typeof statusCode !== 'number')
    return isCaissonError(thrown) ? thrown : apiErrors.UNEXPECTED(messageOf(thrown));
  if (statusCode === 413) return apiErrors.BODY_TOO_LARGE(bodyLimit);
  if (statusCode === 415) return apiErrors.MEDIA_TYPE_UNSUPPORTED('Content-Type', messageOf(thrown));
  return statusCode < 500
    ? apiErrors.REQUEST_MALFORMED(messageOf(thrown))
    : apiErrors.UNEXPECTED(messageOf(thrown));
}

/** The body of every answer that is no success. */
export interface ErrorBody {
  readonly error: Pick<CaissonError, 'code' | 'kind' | 'message' | 'hint' | 'details'>;
}

export const errorBody = ({ code, kind, message, hint, details }: CaissonError): ErrorBody => ({
  error: { code, kind, message, hint, details },
});
