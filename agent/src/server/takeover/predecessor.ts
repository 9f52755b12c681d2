/** The agent that this one follows, asked for its containers. */
import { messageOf, z } from '@caisson/plugin-sdk';
import { apiErrors } from '../errors.js';
import { fromWire, WireIdSchema } from '../http/ids.js';
import { JSON_TYPE } from '../http/media-types.js';
import type { Attached } from '../switchboard/switchboard.js';
import { Successor } from './successor.js';

const HandedOver = z.object({
  hand_over: z.object({
    attached: z.array(z.object({ container_id: WireIdSchema, streams: z.number().int().positive() })),
  }),
});

/** Resolves once the containers are free to be claimed, with those who are attached and will come here. @throws TAKEOVER_REFUSED */
export async function askForContainers(socket: string): Promise<Attached> {
  const answer = await call(socket, 'HAND_OVER').catch((error) => {
    throw apiErrors.TAKEOVER_REFUSED(socket, messageOf(error));
  });
  if (answer.status !== 200) throw apiErrors.TAKEOVER_REFUSED(socket, problemOf(answer));
  if (answer.text === '') return new Map(); // an earlier version does not say
  const { attached } = HandedOver.parse(JSON.parse(answer.text)).hand_over;
  return new Map(attached.map(({ container_id, streams }) => [fromWire(container_id), streams]));
}

async function call(socket: string, type: string): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': JSON_TYPE, ...authorization() };
  const body = Buffer.from(JSON.stringify({ type }));
  const response = await new Successor(socket).send({ method: 'POST', path: '/api/v1', headers, body });
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}

/** As the commands send it, where the socket asks for credentials. */
const authorization = (): Record<string, string> => {
  const token = process.env.CAISSON_TOKEN;
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
};

function problemOf({ status, text }: { status: number; text: string }): string {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return `status ${status}`;
  }
}
