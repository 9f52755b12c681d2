/** Calls about the agent itself. */
import { z } from '@caisson/plugin-sdk';
import { toWire } from '../http/ids.js';
import { flagsOf } from '../views/flags.js';
import { stateOf } from '../views/state.js';
import { versionInfo } from '../views/version.js';
import { defineCall } from './call.js';
import { DurationInfo, milliseconds } from './values.js';

export const HAND_OVER = 'HAND_OVER';

export const operatorCalls = [
  defineCall({
    type: 'GET_HEALTH',
    summary: 'whether the agent answers',
    right: 'read',
    handle: () => ({ healthy: true }),
  }),
  defineCall({
    type: 'GET_VERSION',
    summary: 'the version of the agent',
    right: 'read',
    handle: () => ({ version_info: versionInfo() }),
  }),
  defineCall({
    type: 'GET_FLAGS',
    summary: 'the settings that count, as text',
    right: 'read',
    handle: (_input, context) => ({
      flags: Object.entries(flagsOf(context)).map(([name, value]) => ({ name, value })),
    }),
  }),
  defineCall({
    type: 'GET_METRICS',
    summary: 'each metric and its value now',
    right: 'read',
    input: z.object({ timeout: DurationInfo.optional() }),
    handle: async (_input, { metrics }) => ({
      metrics: Object.entries(await metrics.snapshot()).map(([name, value]) => ({ name, value })),
    }),
  }),
  defineCall({
    type: 'GET_LOGGING_LEVEL',
    summary: 'how much is logged: 0, 1 or 2',
    right: 'read',
    handle: (_input, { levels }) => ({ level: levels.number }),
  }),
  defineCall({
    type: 'SET_LOGGING_LEVEL',
    summary: 'log more, or less again, for a time',
    right: 'write',
    input: z.object({ level: z.number().int().min(0).max(1000), duration: DurationInfo }),
    handle: ({ level, duration }, { levels }) => {
      levels.set(level, milliseconds(duration));
      return undefined;
    },
  }),
  defineCall({
    type: 'GET_STATE',
    summary: 'frameworks, executors and tasks: each outermost container is an executor without framework',
    right: 'read',
    handle: (_input, context) => stateOf(context),
  }),
  defineCall({
    type: 'GET_AGENT',
    summary: 'what the agent is and where',
    right: 'read',
    handle: (_input, { settings, containers }) => ({
      agent_info: {
        hostname: settings.hostname,
        port: settings.tcp?.port ?? 0,
        resources: [],
        attributes: [],
        ...{ launcher: containers.selection.launcher, isolation: containers.selection.isolation },
      },
    }),
  }),
  ...['FRAMEWORKS', 'EXECUTORS', 'TASKS', 'OPERATIONS', 'RESOURCE_PROVIDERS'].map((what) =>
    defineCall({
      type: `GET_${what}`,
      summary: 'empty: this agent has no master',
      right: 'read',
      handle: () => ({}),
    }),
  ),
  defineCall({
    type: HAND_OVER,
    summary:
      'let the containers go to another agent of the same directories: what `caisson agent --takeover` asks',
    right: 'write',
    handle: async (_input, context) => ({
      attached: [...(await context.handOver())].map(([id, streams]) => ({
        container_id: toWire(id),
        streams,
      })),
    }),
  }),
  defineCall({
    type: 'RELOAD_CONFIG',
    summary: 'read the configuration again, for containers that are launched from then on',
    right: 'write',
    handle: async (_input, context) => {
      const { launcher, isolation } = await context.reload();
      return { launcher, isolation };
    },
  }),
];
