import { defineErrors } from '@caisson/plugin-sdk';

/** Errors of the HTTP API, and of starting the agent. What containers do wrong has the codes of the core and of plugins. */
export const apiErrors = defineErrors({
  // Starting
  SETTING_INVALID: {
    kind: 'invalid',
    message: (source: string, problem: string) => `${source}: ${problem}`,
    hint: () => '`caisson agent --help` lists the settings',
  },
  AGENT_RUNS_ALREADY: {
    kind: 'conflict',
    message: (socket: string) => `an agent answers at ${socket} already`,
    hint: () =>
      'follow it with --takeover, stop it first, or give this one another --runtime-dir and --work-dir',
  },
  HANDOVER_REFUSED: {
    kind: 'conflict',
    message: (why: string) => `the containers are not handed over: ${why}`,
  },
  TAKEOVER_REFUSED: {
    kind: 'conflict',
    message: (socket: string, why: string) => `the agent at ${socket} does not hand over: ${why}`,
    hint: () => 'it goes on; stop it and start this one instead: its containers go on meanwhile',
  },
  LISTEN_FAILED: {
    kind: 'failed',
    message: (address: string, why: string) => `the agent cannot listen at ${address}: ${why}`,
  },
  TCP_UNAUTHENTICATED: {
    kind: 'denied',
    message: (address: string) =>
      `${address} would be open to everybody who reaches it, and who launches containers is root on this host`,
    hint: () =>
      'give --http-credentials; or, on a network that you trust with this host, --tcp-without-authentication',
  },
  CREDENTIALS_INVALID: {
    kind: 'invalid',
    message: (file: string, problem: string) => `credentials ${file}: ${problem}`,
    hint: () =>
      'JSON: {"credentials": [{"principal": "ann", "secret": "...", "rights": "read-only"}], "tokens": [{"principal": "ci", "token": "..."}]}; mode 0600',
  },

  // The protocol, in the order in which a request meets it
  ORIGIN_REFUSED: {
    kind: 'denied',
    message: (origin: string) => `a web page of ${JSON.stringify(origin)} may not use this agent`,
  },
  HOST_REFUSED: {
    kind: 'denied',
    message: (host: string) => `this agent does not answer for the host ${JSON.stringify(host)}`,
    hint: () => 'name the host with --allowed-host',
  },
  UNAUTHENTICATED: {
    kind: 'denied',
    message: () => 'credentials are needed',
    hint: () => 'send Authorization: Basic or Bearer',
  },
  NOT_AUTHORIZED: {
    kind: 'denied',
    message: (principal: string, what: string) => `${principal} may not ${what}`,
  },
  RECOVERING: {
    kind: 'failed',
    message: () => 'the agent is recovering its containers',
    hint: () => 'try again in a moment',
  },
  ROUTE_UNKNOWN: { kind: 'not-found', message: (path: string) => `there is nothing at ${path}` },
  METHOD_NOT_ALLOWED: {
    kind: 'invalid',
    message: (method: string, allowed: string) => `${method} is not for this path: ${allowed} is`,
  },
  MEDIA_TYPE_MISSING: { kind: 'invalid', message: (header: string) => `the header ${header} is missing` },
  MEDIA_TYPE_UNSUPPORTED: {
    kind: 'invalid',
    message: (header: string, value: string) => `${header}: ${value} is not taken here`,
    hint: () => 'send application/json',
  },
  NOT_ACCEPTABLE: {
    kind: 'invalid',
    message: (header: string, value: string) => `${header}: ${value} leaves no answer that this call gives`,
    hint: () => 'accept application/json',
  },
  REQUEST_MALFORMED: { kind: 'invalid', message: (problem: string) => `the request: ${problem}` },
  BODY_TOO_LARGE: {
    kind: 'invalid',
    message: (bytes: number) => `the body is larger than ${bytes} bytes`,
  },
  CALL_UNKNOWN: {
    kind: 'invalid',
    message: (type: string) => `there is no call ${JSON.stringify(type)}`,
    hint: () => '/openapi.json lists the calls',
  },
  CALL_NOT_IMPLEMENTED: {
    kind: 'unsupported',
    message: (type: string) => `the call ${type} is not implemented`,
  },
  CALL_INVALID: {
    kind: 'invalid',
    message: (type: string, problems: readonly string[]) => `${type}: ${problems.join('; ')}`,
    details: (_type: string, problems: readonly string[]) => ({ problems }),
  },
  REQUEST_LATE: {
    kind: 'timeout',
    message: (ms: number) => `the request was not there within ${ms} ms`,
  },
  TOO_BUSY: {
    kind: 'exhausted',
    message: (what: string, limit: number) => `more than ${limit} ${what} at once`,
    hint: () => 'try again later',
  },
  UNEXPECTED: { kind: 'failed', message: (why: string) => `the agent failed: ${why}` },

  // Calls
  UNSUPPORTED_FIELD: {
    kind: 'unsupported',
    message: (field: string, why: string) => `${field}: ${why}`,
  },
  NOT_ATTACHABLE: {
    kind: 'unsupported',
    message: (id: string) => `container ${id} has neither a terminal nor pipes that one could attach to`,
    hint: () => 'launch it with container.tty_info, or with config.stdio "terminal" or "pipes"',
  },
  INPUT_TAKEN: {
    kind: 'conflict',
    message: (id: string) => `somebody else writes to container ${id} already`,
    hint: () => 'one at a time: try again when they have left',
  },
  INPUT_ENDED: { kind: 'invalid', message: (id: string) => `the stdin of container ${id} has been closed` },
  INPUT_REFUSED: {
    kind: 'failed',
    message: (id: string, why: string) => `container ${id} takes no input: ${why}`,
  },
  NO_TERMINAL: {
    kind: 'invalid',
    message: (id: string) => `container ${id} has no terminal whose size could change`,
  },
  CONTAINER_GONE: { kind: 'not-found', message: (id: string) => `container ${id} has ended` },
  FILE_UNKNOWN: { kind: 'not-found', message: (path: string) => `there is no file ${JSON.stringify(path)}` },
  FILE_REFUSED: {
    kind: 'invalid',
    message: (path: string, why: string) => `${JSON.stringify(path)}: ${why}`,
  },
});
