import { HostNetworks } from '@kvorum/schema';
import type { EnsureNetworksRequest, HostNetwork, SecurityGroupRule } from '@kvorum/schema/agent-wire';
import { z } from 'zod';
import { decodeRequest } from './decode-request.js';

/** protobuf has no null: an absent text is empty. */
const orNull = (text: string): string | null => (text === '' ? null : text);

const networkOf = ({ ports, vlanId, peers, uplink, ...network }: HostNetwork) => ({
  ...network,
  ports: ports.map(({ ingressBitsPerSecond, egressBitsPerSecond, ...port }) => ({
    ...port,
    name: orNull(port.name),
    ingressBitsPerSecond: ingressBitsPerSecond ?? null,
    egressBitsPerSecond: egressBitsPerSecond ?? null,
    floatingAddress: orNull(port.floatingAddress),
  })),
  ...(network.kind === 'vxlan' ? { peers } : {}),
  ...(network.kind === 'bridge' ? { uplink, vlanId: vlanId ?? null } : {}),
});

const ruleOf = ({ portMin, portMax, cidr, peerGroupId, ...rule }: SecurityGroupRule) => ({
  ...rule,
  portMin: portMin ?? null,
  portMax: portMax ?? null,
  cidr: orNull(cidr),
  peerGroupId: orNull(peerGroupId),
});

const EnsureNetworks = HostNetworks.safeExtend({ revision: z.int().min(1).max(Number.MAX_SAFE_INTEGER) });

/** Throws `invalid_request` that names each wrong field. */
export const decodeNetworks = ({ revision, networks, securityGroups }: EnsureNetworksRequest) =>
  decodeRequest(EnsureNetworks, {
    revision,
    networks: networks.map(networkOf),
    securityGroups: securityGroups.map((group) => ({ ...group, rules: group.rules.map(ruleOf) })),
  });
