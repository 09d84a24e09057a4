import { z } from 'zod';
import { NetworkId, ProjectId } from '../ids.js';
import {
  CIDR_LENGTH_MAX,
  CIDR_LENGTH_MIN,
  MTU_DEFAULT,
  MTU_MAX,
  MTU_MIN,
  VLAN_ID_MAX,
  VXLAN_OVERHEAD_BYTES,
} from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';
import { formatIpv4, formatIpv4Cidr, parseIpv4, parseIpv4Cidr, whyUnusable } from './ipv4.js';

/** nat: of each host for itself, out through its address; bridge: a wire of the site; vxlan: one for guests of all hosts. */
export const NetworkKind = z.enum(['nat', 'bridge', 'vxlan']).meta({ id: 'NetworkKind' });
export type NetworkKind = z.infer<typeof NetworkKind>;

export const Ipv4Address = z
  .string()
  .max(15)
  .refine((text) => parseIpv4(text) !== null, { error: 'must be an IPv4 address, such as 10.20.0.7' })
  .meta({ description: 'IPv4 address in dotted decimal', format: 'ipv4' });

/** What is wrong with a network's range; null: nothing. */
export function subnetFault(text: string): string | null {
  const range = parseIpv4Cidr(text);
  if (range === null) return 'must be an IPv4 range, such as 10.20.0.0/24';
  const proper = formatIpv4Cidr(range);
  if (proper !== text) return `must begin with the network's own address; you may mean ${proper}`;
  if (range.length > CIDR_LENGTH_MAX) return `is too small: /${CIDR_LENGTH_MAX} is the smallest`;
  if (range.length < CIDR_LENGTH_MIN) return `is too large: /${CIDR_LENGTH_MIN} is the largest`;
  const why = whyUnusable(range);
  return why === null ? null : `cannot be used for guests: ${why}`;
}

const Subnet = z
  .string()
  .max(18)
  .superRefine((text, context) => {
    const fault = subnetFault(text);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  })
  .meta({ description: `IPv4 range with a length of ${CIDR_LENGTH_MIN} to ${CIDR_LENGTH_MAX}, such as 10.20.0.0/24` });

/** What is wrong with an address of a network, as its gateway or of a port; null: nothing. Takes a range without faults. */
export function addressFault(cidr: string, address: string): string | null {
  const [range, value] = [parseIpv4Cidr(cidr), parseIpv4(address)];
  if (range === null || value === null) throw new TypeError(`${cidr} and ${address} were checked before`);
  const usable = `${formatIpv4(range.first + 1)} to ${formatIpv4(range.last - 1)}`;
  if (value < range.first || value > range.last) return `is outside of ${cidr}; choose from ${usable}`;
  if (value === range.first) return `is the address of the network itself; choose from ${usable}`;
  if (value === range.last) return `is the broadcast address of the network; choose from ${usable}`;
  return null;
}

const DNS_NAME_LENGTH_MAX = 253;
/** Labels of RFC 1123, at least two, so that a name is never a top-level domain's. */
const DnsDomain = z
  .string()
  .max(DNS_NAME_LENGTH_MAX)
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, {
    error: 'must be a domain of two labels or more in lower case, such as shop.internal',
  })
  .meta({ description: 'Domain of the names of ports; default: NAME.internal' });

/** As the kernel takes it (IFNAMSIZ 16), and never an interface of ours. */
const Uplink = z
  .string()
  .regex(/^(?!kv[bgtx])[A-Za-z][A-Za-z0-9_.-]{0,14}$/, {
    error: 'must be the name of a network interface of the hosts, such as eth1, and none that Kvorum made',
  })
  .meta({ description: 'Interface of each host that leads to the wire: for `bridge`, and for nothing else' });

const Mtu = z
  .int()
  .min(MTU_MIN)
  .max(MTU_MAX)
  .meta({
    description: `Largest packet of guests; default: ${MTU_DEFAULT}, or ${MTU_DEFAULT - VXLAN_OVERHEAD_BYTES} for vxlan, which needs ${VXLAN_OVERHEAD_BYTES} bytes more on the wire`,
  });

export const CreateNetworkRequest = z
  .strictObject({
    name: ResourceName,
    projectId: ProjectId.optional().meta({ description: "Defaults to the token's project, or to `default`" }),
    kind: NetworkKind.default('nat').meta({ description: '`bridge` is for admins: it reaches wires of the site' }),
    cidr: Subnet,
    gateway: Ipv4Address.optional().meta({ description: 'Default: the first address' }),
    dnsDomain: DnsDomain.optional(),
    mtu: Mtu.optional(),
    uplink: Uplink.optional(),
    vlanId: z.int().min(1).max(VLAN_ID_MAX).optional().meta({ description: 'For `bridge`; without it, untagged' }),
  })
  .superRefine(({ kind, cidr, gateway, uplink, vlanId }, context) => {
    const wrong = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (kind === 'bridge' && uplink === undefined) wrong('uplink', 'is needed: the interface that leads to the wire');
    if (kind !== 'bridge' && uplink !== undefined) wrong('uplink', `is for bridge alone, not for ${kind}`);
    if (kind !== 'bridge' && vlanId !== undefined) wrong('vlanId', `is for bridge alone, not for ${kind}`);
    if (gateway === undefined || parseIpv4(gateway) === null || subnetFault(cidr) !== null) return;
    const fault = addressFault(cidr, gateway);
    if (fault !== null) wrong('gateway', fault);
  })
  .meta({ id: 'CreateNetworkRequest' });
export type CreateNetworkRequest = z.infer<typeof CreateNetworkRequest>;

export const UpdateNetworkRequest = z
  .strictObject({ name: ResourceName.optional(), dnsDomain: DnsDomain.optional() })
  .meta({ id: 'UpdateNetworkRequest' });
export type UpdateNetworkRequest = z.infer<typeof UpdateNetworkRequest>;

export const Network = z
  .object({
    id: NetworkId,
    projectId: ProjectId,
    name: ResourceName,
    kind: NetworkKind,
    cidr: z.string(),
    gateway: z.string(),
    dnsDomain: z.string(),
    mtu: z.int(),
    uplink: z.string().nullable(),
    vlanId: z.int().nullable(),
    vni: z.int().nullable().meta({ description: 'Number of the overlay, chosen by the site; null: it is none' }),
    portCount: z.int(),
    generation: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Network' });
export type Network = z.infer<typeof Network>;

export const ListNetworksQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  name: ResourceName.optional(),
  kind: NetworkKind.optional(),
});
export type ListNetworksQuery = z.infer<typeof ListNetworksQuery>;
