export { type ApplyOptions, applyNetworks, type NetworkFault } from './apply-networks.js';
export type {
  DesiredNetworks,
  HostNetwork,
  HostPort,
  HostSecurityGroup,
  NatNetwork,
  OverlayNetwork,
  WireNetwork,
} from './desired-networks.js';
export { type Announce, FloatingAnnouncer } from './floating-announcer.js';
export type { Instance } from './metadata/answer-metadata.js';
export { type FindInstance, MetadataServer } from './metadata/metadata-server.js';
export { linkName } from './object-names.js';
export { type ProbedNetworking, probeNetworking } from './probe-networking.js';
export { renderRuleset } from './render-ruleset.js';
export { openRunner, type RunCommand } from './run-command.js';
