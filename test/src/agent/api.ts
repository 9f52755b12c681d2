/** The operator API on a Unix socket, as any HTTP client would use it: one connection for each request in flight. */
import { Agent, request } from 'node:http';

export interface Reply {
  readonly status: number;
  /** The member of the answer that bears the call's name, or `error`; empty if the answer is. */
  readonly body: Body;
}

/** With what the tests look at. */
export interface Body {
  readonly code?: string;
  readonly message?: string;
  readonly state?: string;
  readonly pid?: number;
  readonly cause?: string;
  readonly exit_status?: number;
  readonly containers?: readonly Listed[];
}

/** A container as GET_CONTAINERS lists it. */
export interface Listed {
  readonly container_id: WireId;
  readonly state: string;
  readonly termination?: { readonly exit_status?: number };
  readonly container_status?: { readonly executor_pid?: number };
}

export interface WireId {
  readonly value: string;
  readonly parent?: WireId;
}

/** `web.debug` as the API has it. */
export const wire = (id: string): WireId => {
  const parts = id.split('.');
  const value = parts.pop()!;
  return parts.length > 0 ? { value, parent: wire(parts.join('.')) } : { value };
};

export const unwire = ({ value, parent }: WireId): string => (parent ? `${unwire(parent)}.${value}` : value);

export class Api {
  readonly #connections = new Agent({ keepAlive: true, maxSockets: 256 });

  constructor(private readonly socketPath: string) {}

  /** Rejects if the connection breaks before the answer is complete: the agent was killed. */
  call(type: string, input: object = {}): Promise<Reply> {
    const member = type.toLowerCase();
    return this.send('POST', '/api/v1', JSON.stringify({ type, [member]: input })).then(
      ({ status, text }) => {
        const body = text === '' ? {} : JSON.parse(text);
        return { status, body: body.error ?? body[member] ?? {} };
      },
    );
  }

  send(method: string, path: string, body = ''): Promise<{ status: number; text: string }> {
    const { socketPath } = this;
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath, method, path, headers, agent: this.#connections }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.once('close', () => reject(new Error('the answer broke off')));
        response.once('error', reject);
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#connections.destroy();
  }
}
