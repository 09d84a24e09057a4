/**
 * The wire between control plane and agents, generated from proto/kvorum/agent/v1. Kept apart from the package's root
 * so that only the two ends of the wire pull in gRPC.
 */

export * from './generated/proto/kvorum/agent/v1/console.js';
export * from './generated/proto/kvorum/agent/v1/facts.js';
export * from './generated/proto/kvorum/agent/v1/host_peer.js';
export * from './generated/proto/kvorum/agent/v1/leftovers.js';
export * from './generated/proto/kvorum/agent/v1/networks.js';
export * from './generated/proto/kvorum/agent/v1/node_agent.js';
export * from './generated/proto/kvorum/agent/v1/site_gateway.js';
export * from './generated/proto/kvorum/agent/v1/storage.js';
export * from './wire-error.js';
