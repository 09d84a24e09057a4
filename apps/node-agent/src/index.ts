export type { HostPressure, PressureSource } from './balloon/host-pressure.js';
export type { AgentOptions } from './config.js';
export type { Log } from './log.js';
export { NetworkKeeper } from './network/network-keeper.js';
export type { AgentNetworks } from './network/open-networks.js';
export { type Agent, type StartAgentOptions, startAgent } from './start-agent.js';
