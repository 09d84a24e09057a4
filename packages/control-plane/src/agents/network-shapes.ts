import type { HostNetwork, HostNetworks, SecurityGroupRule } from '@kvorum/schema';
import type {
  EnsureNetworksRequest,
  HostNetwork as WireNetwork,
  SecurityGroupRule as WireRule,
} from '@kvorum/schema/agent-wire';

/** protobuf has no null: an absent text is empty. */
export const toWireNetworks = (
  revision: number,
  { networks, securityGroups }: HostNetworks,
): EnsureNetworksRequest => ({
  revision,
  networks: networks.map(networkOf),
  securityGroups: securityGroups.map(({ id, rules, members }) => ({
    id,
    rules: rules.map(ruleOf),
    members: members.map((member) => ({ ...member })),
  })),
});

const networkOf = ({ ports, otherNames, ...network }: HostNetwork): WireNetwork => ({
  ...network,
  ports: ports.map((port) => ({
    ...port,
    name: port.name ?? '',
    securityGroupIds: [...port.securityGroupIds],
    ingressBitsPerSecond: port.ingressBitsPerSecond ?? undefined,
    egressBitsPerSecond: port.egressBitsPerSecond ?? undefined,
    floatingAddress: port.floatingAddress ?? '',
  })),
  otherNames: otherNames.map((name) => ({ ...name })),
  peers: network.kind === 'vxlan' ? [...network.peers] : [],
  uplink: network.kind === 'bridge' ? network.uplink : '',
  vlanId: network.kind === 'bridge' ? (network.vlanId ?? undefined) : undefined,
});

const ruleOf = ({ direction, protocol, portMin, portMax, cidr, peerGroupId }: SecurityGroupRule): WireRule => ({
  direction,
  protocol,
  portMin: portMin ?? undefined,
  portMax: portMax ?? undefined,
  cidr: cidr ?? '',
  peerGroupId: peerGroupId ?? '',
});
