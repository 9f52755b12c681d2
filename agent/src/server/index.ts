export type { AgentOptions } from './agent.js';
export { serve } from './serve.js';
