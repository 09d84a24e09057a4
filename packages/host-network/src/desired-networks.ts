import type { SecurityGroup } from '@kvorum/schema';

/** A port of a VM that is on this host. */
export interface HostPort {
  readonly id: string;
  /** Its DNS name; null: none. */
  readonly name: string | null;
  readonly macAddress: string;
  readonly address: string;
  readonly securityGroupIds: readonly string[];
}

interface NetworkBasics {
  readonly id: string;
  /** Unlike that of every other network of the site. */
  readonly segmentId: number;
  readonly cidr: string;
  readonly gateway: string;
  readonly dnsDomain: string;
  readonly mtu: number;
  readonly ports: readonly HostPort[];
  /** Names of ports on other hosts. */
  readonly otherNames: readonly { readonly name: string; readonly address: string }[];
}
export interface NatNetwork extends NetworkBasics {
  readonly kind: 'nat';
}
export interface OverlayNetwork extends NetworkBasics {
  readonly kind: 'vxlan';
  /** Addresses of the other hosts that have the network. */
  readonly peers: readonly string[];
}
export interface WireNetwork extends NetworkBasics {
  readonly kind: 'bridge';
  readonly uplink: string;
  readonly vlanId: number | null;
}
export type HostNetwork = NatNetwork | OverlayNetwork | WireNetwork;

export interface HostSecurityGroup {
  readonly id: string;
  readonly rules: SecurityGroup['rules'];
  /** Ports that have it, on all hosts: the other side of rules that name the group. */
  readonly members: readonly { readonly networkId: string; readonly address: string }[];
}

/** All that is to be on one host: what is not in it is to go. */
export interface DesiredNetworks {
  /** The host's own address, between hosts: overlays go from it to those of the peers. */
  readonly hostAddress: string;
  readonly networks: readonly HostNetwork[];
  /** Each group that a port of `networks` has, and each that a rule of these names. */
  readonly securityGroups: readonly HostSecurityGroup[];
  /** Where names are asked that are none of ours; none: only ours are known. */
  readonly resolvers: readonly string[];
}
