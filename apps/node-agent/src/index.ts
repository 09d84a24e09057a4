export type { HostPressure, PressureSource } from './balloon/host-pressure.js';
export type { AgentOptions } from './config.js';
export type { Log } from './log.js';
export { type Agent, type StartAgentOptions, startAgent } from './start-agent.js';
