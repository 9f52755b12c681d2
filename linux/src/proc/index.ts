export * from './boot-id.js';
export * from './kernel.js';
export * from './mount-changes.js';
export * from './mountinfo.js';
export * from './process-family.js';
export * from './process-stat.js';
export * from './process-table.js';
export * from './users.js';
