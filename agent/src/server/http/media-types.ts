/**
 * Which media types a call takes and gives: the rules of the operator API, in its order. JSON is the only encoding of
 * messages; RecordIO frames those of a stream.
 *
 * Throws  MEDIA_TYPE_MISSING (400), MEDIA_TYPE_UNSUPPORTED (415), NOT_ACCEPTABLE (406)
 */
import type { IncomingHttpHeaders } from 'node:http';
import { apiErrors } from '../errors.js';

export const JSON_TYPE = 'application/json';
export const RECORDIO = 'application/recordio';

/** `application/json; charset=utf-8` without its parameters. */
const bare = (value: string): string => value.split(';', 1)[0]!.trim().toLowerCase();

/** Before the body is looked at. Returns whether the request is a stream. */
export function checkContentType(headers: IncomingHttpHeaders): 'message' | 'stream' {
  const type = headers['content-type'];
  const message = headers['message-content-type'] as string | undefined;
  if (!type) throw apiErrors.MEDIA_TYPE_MISSING('Content-Type');
  if (bare(type) === RECORDIO) {
    if (!message) throw apiErrors.MEDIA_TYPE_MISSING('Message-Content-Type');
    if (bare(message) !== JSON_TYPE) throw apiErrors.MEDIA_TYPE_UNSUPPORTED('Message-Content-Type', message);
    return 'stream';
  }
  if (bare(type) !== JSON_TYPE) throw apiErrors.MEDIA_TYPE_UNSUPPORTED('Content-Type', type);
  if (message !== undefined) throw apiErrors.MEDIA_TYPE_UNSUPPORTED('Message-Content-Type', message);
  return 'message';
}

/** What the caller takes: RecordIO is for streams alone. */
export type Accepted = 'any' | 'json' | 'recordio';

export function checkAccept(headers: IncomingHttpHeaders): Accepted {
  const { accept } = headers;
  const message = headers['message-accept'] as string | undefined;
  const types = (accept ?? '*/*').split(',').map(bare);
  const json = types.some((type) => ['*/*', 'application/*', JSON_TYPE].includes(type));
  const recordio = types.includes(RECORDIO);
  if (!json && !recordio) throw apiErrors.NOT_ACCEPTABLE('Accept', accept ?? '');
  if (recordio && message !== undefined && ![JSON_TYPE, '*/*'].includes(bare(message)))
    throw apiErrors.NOT_ACCEPTABLE('Message-Accept', message);
  if (!recordio && message !== undefined) throw apiErrors.NOT_ACCEPTABLE('Message-Accept', message);
  if (!json) return 'recordio';
  return recordio || accept === undefined || types.includes('*/*') ? 'any' : 'json';
}

/** Once the call is known. */
export function checkFraming(
  { streamsIn, streamsOut }: { readonly streamsIn: boolean; readonly streamsOut: boolean },
  sent: 'message' | 'stream',
  accepted: Accepted,
): void {
  if (streamsIn !== (sent === 'stream'))
    throw apiErrors.MEDIA_TYPE_UNSUPPORTED('Content-Type', streamsIn ? JSON_TYPE : RECORDIO);
  if (accepted === 'recordio' && !streamsOut) throw apiErrors.NOT_ACCEPTABLE('Accept', RECORDIO);
}
