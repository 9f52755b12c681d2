import 'reflect-metadata';
import { z } from 'zod';

export { Container as InjectionContainer, ContainerModule, inject, injectable, optional } from 'inversify';
export * from './cgroup-options.js';
export * from './container.js';
export * from './container-config.js';
export * from './container-id.js';
export * from './define-plugin.js';
export * from './errors.js';
export * from './hooks/index.js';
export type { Isolator } from './isolator.js';
export type * from './launcher.js';
export { planErrors } from './plan/errors.js';
export * from './plan/launch-plan.js';
export * from './plan/mount.js';
export * from './services.js';
export type * from './statistics.js';
export * from './values.js';
export { z };

// zod would compile a parser for each schema at its first use: most are used once, and compiling takes longer.
z.config({ jitless: true });
