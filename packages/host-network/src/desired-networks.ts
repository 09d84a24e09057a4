import type { HostNetwork, HostNetworks } from '@kvorum/schema';

export type { HostNetwork, HostPort, HostSecurityGroup } from '@kvorum/schema';

export type NatNetwork = Extract<HostNetwork, { kind: 'nat' }>;
export type OverlayNetwork = Extract<HostNetwork, { kind: 'vxlan' }>;
export type WireNetwork = Extract<HostNetwork, { kind: 'bridge' }>;

/** What the control plane desires of a host, and what the host itself adds. */
export interface DesiredNetworks extends HostNetworks {
  /** The host's own address, between hosts: overlays go from it to those of the peers. Null: it has no overlays. */
  readonly hostAddress: string | null;
  /** Where names are asked that are none of ours; none: only ours are known. */
  readonly resolvers: readonly string[];
}
