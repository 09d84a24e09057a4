import { z } from 'zod';
import { FloatingAddressId, FloatingRangeId, HostId, PortId, ProjectId } from '../ids.js';
import { FLOATING_RANGE_ADDRESS_COUNT_MAX } from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';
import { formatIpv4, formatIpv4Cidr, type Ipv4Cidr, overlaps, parseIpv4, parseIpv4Cidr, whyUnusable } from './ipv4.js';
import { Ipv4Address } from './network.schema.js';

/** Between the hosts and their networks (RFC 6598), and so never outside. */
const TRANSIT = '100.64.0.0/10';

export interface FloatingSpan {
  readonly first: string;
  readonly last: string;
}

/** Of `192.0.2.7`, `192.0.2.16-192.0.2.31` or `192.0.2.64/27`, all of whose addresses are meant. Null: it is none of them. */
export function parseFloatingSpan(text: string): FloatingSpan | null {
  const range = text.includes('/') ? parseIpv4Cidr(text) : null;
  if (range !== null) {
    const isProper = formatIpv4Cidr(range) === text;
    return isProper ? { first: formatIpv4(range.first), last: formatIpv4(range.last) } : null;
  }
  const [first = '', last = first, ...rest] = text.split('-');
  if (rest.length > 0 || parseIpv4(first) === null || parseIpv4(last) === null) return null;
  return { first, last };
}

/** What is wrong with a range of floating addresses; null: nothing. */
export function floatingSpanFault(text: string): string | null {
  const span = parseFloatingSpan(text);
  if (span === null) return 'must be addresses, such as 192.0.2.16-192.0.2.31, 192.0.2.64/27 or 192.0.2.7';
  const [first, last] = [parseIpv4(span.first), parseIpv4(span.last)];
  if (first === null || last === null || last < first) return 'must end with its highest address';
  if (last - first >= FLOATING_RANGE_ADDRESS_COUNT_MAX)
    return `has more than ${FLOATING_RANGE_ADDRESS_COUNT_MAX} addresses`;
  const all: Ipv4Cidr = { first, last, length: 0 };
  const transit = parseIpv4Cidr(TRANSIT);
  if (transit !== null && overlaps(transit, all))
    return `cannot be used: ${TRANSIT} is between hosts and their networks`;
  const why = whyUnusable(all);
  return why === null ? null : `cannot be used: ${why}`;
}

const FloatingSpanText = z
  .string()
  .max(31)
  .superRefine((text, context) => {
    const fault = floatingSpanFault(text);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  })
  .meta({
    description:
      'Such as 192.0.2.16-192.0.2.31, 192.0.2.64/27 (all of them) or 192.0.2.7. Nobody else may use any of them: not routers, not hosts.',
  });

export const CreateFloatingRangeRequest = z
  .strictObject({ name: ResourceName, addresses: FloatingSpanText })
  .meta({ id: 'CreateFloatingRangeRequest' });
export type CreateFloatingRangeRequest = z.infer<typeof CreateFloatingRangeRequest>;

export const FloatingRange = z
  .object({
    id: FloatingRangeId,
    name: ResourceName,
    firstAddress: z.string(),
    lastAddress: z.string(),
    addressCount: z.int(),
    allocatedCount: z.int().meta({ description: 'How many of them projects have' }),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'FloatingRange', description: 'Addresses of the world outside that projects can have' });
export type FloatingRange = z.infer<typeof FloatingRange>;

export const ListFloatingRangesQuery = PageQuery.extend({ name: ResourceName.optional() });
export type ListFloatingRangesQuery = z.infer<typeof ListFloatingRangesQuery>;

export const CreateFloatingAddressRequest = z
  .strictObject({
    projectId: ProjectId.optional().meta({ description: "Defaults to the token's project, or to `default`" }),
    rangeId: FloatingRangeId.optional().meta({ description: 'Default: the first range that has a free one' }),
    address: Ipv4Address.optional().meta({ description: 'Default: one that is free' }),
    portId: PortId.optional().meta({ description: 'The port that is to be reached by it, of a network of kind nat' }),
  })
  .meta({ id: 'CreateFloatingAddressRequest' });
export type CreateFloatingAddressRequest = z.infer<typeof CreateFloatingAddressRequest>;

export const UpdateFloatingAddressRequest = z
  .strictObject({
    portId: PortId.nullable().meta({ description: 'The port that is reached by it from now on; null: none' }),
  })
  .meta({ id: 'UpdateFloatingAddressRequest' });
export type UpdateFloatingAddressRequest = z.infer<typeof UpdateFloatingAddressRequest>;

export const FloatingAddress = z
  .object({
    id: FloatingAddressId,
    projectId: ProjectId,
    rangeId: FloatingRangeId,
    address: z.string(),
    portId: PortId.nullable().meta({ description: 'The port that is reached by it; null: none' }),
    hostId: HostId.nullable().meta({ description: "The host that answers for it: that of the port's VM; null: none" }),
    generation: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'FloatingAddress', description: 'An address of the world outside that a project has' });
export type FloatingAddress = z.infer<typeof FloatingAddress>;

export const ListFloatingAddressesQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  rangeId: FloatingRangeId.optional(),
  portId: PortId.optional(),
  address: Ipv4Address.optional(),
});
export type ListFloatingAddressesQuery = z.infer<typeof ListFloatingAddressesQuery>;
