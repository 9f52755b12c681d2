export * from './identity.js';
export * from './reaper.js';
export * from './spawn.js';
export * from './wait-status.js';
