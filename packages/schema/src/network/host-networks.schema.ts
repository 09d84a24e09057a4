import { z } from 'zod';
import { SECURITY_GROUPS_PER_PORT_MAX } from '../limits.js';
import { parseIpv4, parseIpv4Cidr } from './ipv4.js';
import { NetworkKind } from './network.schema.js';
import { PortBandwidth } from './port.schema.js';
import { SecurityGroupRule } from './security-group.schema.js';

/**
 * What is to be on one host: the contract between the control plane, which computes it from its record, and the host's
 * agent, which makes it so. Everything of it becomes names of interfaces, rules of nftables and lines of dnsmasq's files, so
 * that each text has a form that can hold nothing else.
 */

/** Ids become names: only the one spelling. */
const Id = z.uuid().refine((id) => id === id.toLowerCase(), { error: 'must be in lower case' });
const Address = z.string().refine((text) => parseIpv4(text) !== null, { error: 'must be an IPv4 address' });
const Range = z.string().refine((text) => parseIpv4Cidr(text) !== null, { error: 'must be an IPv4 range' });
/** A label of RFC 1123: it stands in files whose fields end with commas, spaces and lines. */
const DnsLabel = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
const DnsDomain = z
  .string()
  .max(253)
  .regex(/^[a-z0-9.-]+$/);
const MacAddress = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
export const InterfaceName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,14}$/);
const SEGMENT_MAX = 16_777_215;
const MTU_OF_LINK_MIN = 68;
const MTU_OF_LINK_MAX = 65_535;

/** A port of a VM that is on the host. */
export const HostPort = z.object({
  id: Id,
  /** Its DNS name; null: none. */
  name: DnsLabel.nullable(),
  macAddress: MacAddress,
  address: Address,
  securityGroupIds: z.array(Id).max(SECURITY_GROUPS_PER_PORT_MAX).readonly(),
  ingressBitsPerSecond: PortBandwidth.ingressBitsPerSecond.default(null),
  egressBitsPerSecond: PortBandwidth.egressBitsPerSecond.default(null),
  /** Of the world outside, by which it is reached and seen there; null: none. Of `nat` alone. */
  floatingAddress: Address.nullable().default(null),
});
export type HostPort = z.infer<typeof HostPort>;

const basics = {
  id: Id,
  /** Unlike that of every other network of the site. */
  segmentId: z.int().min(0).max(SEGMENT_MAX),
  cidr: Range,
  gateway: Address,
  dnsDomain: DnsDomain,
  mtu: z.int().min(MTU_OF_LINK_MIN).max(MTU_OF_LINK_MAX),
  ports: z.array(HostPort).readonly(),
  /** Names of ports on other hosts, or of none. */
  otherNames: z.array(z.object({ name: DnsLabel, address: Address })).readonly(),
};

export const HostNetwork = z.discriminatedUnion('kind', [
  z.object({ ...basics, kind: z.literal('nat') }),
  /** `peers`: overlay addresses of the other hosts that have the network. */
  z.object({ ...basics, kind: z.literal('vxlan'), peers: z.array(Address).readonly() }),
  z.object({
    ...basics,
    kind: z.literal('bridge'),
    uplink: InterfaceName,
    vlanId: z.int().min(1).max(4094).nullable(),
  }),
]);
export type HostNetwork = z.infer<typeof HostNetwork>;

export const HostSecurityGroup = z.object({
  id: Id,
  rules: z.array(SecurityGroupRule).readonly(),
  /** Ports that have it, on all hosts: the other side of rules that name the group. */
  members: z.array(z.object({ networkId: Id, address: Address })).readonly(),
});
export type HostSecurityGroup = z.infer<typeof HostSecurityGroup>;

/** All that is to be on one host: what is not in it is to go. */
export const HostNetworks = z
  .object({
    networks: z.array(HostNetwork),
    /** Each group that a port of `networks` has, and each that a rule of these names. */
    securityGroups: z.array(HostSecurityGroup),
  })
  .superRefine(({ networks, securityGroups }, context) => {
    const known = new Set<string>(securityGroups.map(({ id }) => id));
    const named = [
      ...networks.flatMap(({ ports }) => ports.flatMap((port) => port.securityGroupIds)),
      ...securityGroups.flatMap(({ rules }) => rules.flatMap(({ peerGroupId }) => peerGroupId ?? [])),
    ];
    const missing = named.find((id) => !known.has(id));
    if (missing === undefined) return;
    context.addIssue({ code: 'custom', path: ['securityGroups'], message: `lacks ${missing}, which is named` });
  });
export type HostNetworks = z.infer<typeof HostNetworks>;

export const NO_HOST_NETWORKS: HostNetworks = { networks: [], securityGroups: [] };

/** Where a guest asks who it is: link-local (RFC 3927), and the same as on other clouds. */
export const METADATA_ADDRESS = '169.254.169.254';

/** What a host can do of networks. */
export const HostNetworking = z
  .object({
    kinds: z.array(NetworkKind).max(3).meta({ description: 'Networks that VMs can have here' }),
    overlayAddress: z
      .string()
      .nullable()
      .meta({ description: 'Where overlays of other hosts reach it; null: none do' }),
    floatingInterface: InterfaceName.nullable()
      .default(null)
      .meta({ description: 'Interface by which it answers for floating addresses; null: it cannot' }),
  })
  .meta({ id: 'HostNetworking' });
export type HostNetworking = z.infer<typeof HostNetworking>;
