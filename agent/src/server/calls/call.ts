import type { Readable } from 'node:stream';
import type { z } from '@caisson/plugin-sdk';
import type { AgentContext, ReadyContext } from '../context.js';
import type { Right } from '../http/authentication.js';

/** What a call's handler has beyond its input. */
export interface Caller {
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  /** What follows the first record, of a call that takes a stream: members like `input`. @throws CALL_INVALID, RECORD_* */
  readonly records: AsyncIterator<unknown> | undefined;
}

/** The answer: a member of the response, named as the call; an empty body; or a stream of records. */
export type Answer = Readonly<Record<string, unknown>> | undefined;

/** A call of the operator API. Its input is the member of the request that bears its name in lower case. */
export interface Call<Input = unknown> {
  readonly type: string;
  readonly summary: string;
  readonly right: Right;
  /** Absent: the call has no input. */
  readonly input?: z.ZodType<Input> | undefined;
  /** Answered while containers are being recovered. */
  readonly early?: true | undefined;
  /** `handle` answers with `{ stream }`. */
  readonly streams?: true | undefined;
  /** It is sent as a stream of records; the first one is `input`, what is in the others `following`. */
  readonly following?: z.ZodType | undefined;
  /** It may last for as long as the caller likes. When another agent takes over, that one is asked to go on with it. */
  readonly lasts?: true | undefined;
  /** What it is asked then, so many milliseconds after this one. Default: the same. */
  continued?(input: Input, elapsedMs: number): Readonly<Record<string, unknown>> & { readonly type: string };
  /** What it streams is of something that ends with the agent. */
  readonly endsWithAgent?: true | undefined;
  handle(
    input: Input,
    context: ReadyContext,
    caller: Caller,
  ): Promise<Answer | StreamAnswer> | Answer | StreamAnswer;
  /** The status of an error, where the call has one of its own. */
  statusOf?(error: unknown): number | undefined;
}

export interface StreamAnswer {
  readonly stream: Readable;
  /** The input for the rest of it, once another agent has taken over. Default: the same. */
  readonly continued?: () => object;
}

export const isStream = (answer: unknown): answer is StreamAnswer =>
  typeof answer === 'object' && answer !== null && 'stream' in answer;

/** Keeps the input's type within the call, and nothing of it without. */
export const defineCall = <Input>(call: Call<Input>): Call => call as Call;

/** LAUNCH_CONTAINER is `launch_container`. */
export const memberOf = ({ type }: Pick<Call, 'type'>): string => type.toLowerCase();

export type { AgentContext, ReadyContext };
