import { z } from 'zod';
import { NetworkId, PortId, ProjectId, SecurityGroupId, VmId } from '../ids.js';
import { PORT_BITS_PER_SECOND_MAX, PORT_BITS_PER_SECOND_MIN, SECURITY_GROUPS_PER_PORT_MAX } from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';
import { Ipv4Address } from './network.schema.js';

/** IEEE 802: the lowest bit of the first octet says group, the next one says locally administered. */
const MAC_ADDRESS = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const GROUP_BIT = 1;
const LOCAL_BIT = 2;

/** What is wrong with a MAC address of a port; null: nothing. */
export function macAddressFault(text: string): string | null {
  if (!MAC_ADDRESS.test(text)) return 'must be six pairs of lower-case hexadecimal digits, such as 52:54:00:12:34:56';
  const firstOctet = Number.parseInt(text.slice(0, 2), 16);
  if ((firstOctet & GROUP_BIT) !== 0) return 'is a multicast address; the second digit must be 2, 6, a or e';
  if ((firstOctet & LOCAL_BIT) === 0)
    return 'belongs to a maker of hardware; the second digit must be 2, 6, a or e (locally administered)';
  return null;
}

const MacAddress = z
  .string()
  .max(17)
  .superRefine((text, context) => {
    const fault = macAddressFault(text);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  })
  .meta({ description: 'Unicast and locally administered, such as 52:54:00:12:34:56; default: a random one' });

const SecurityGroupIds = z
  .array(SecurityGroupId)
  .max(SECURITY_GROUPS_PER_PORT_MAX)
  .refine((ids) => new Set(ids).size === ids.length, { error: 'names a group twice' })
  .meta({ description: 'Who may talk to it is what any of them allows; with none: nobody, and it may talk to all' });

const BitsPerSecond = z.int().min(PORT_BITS_PER_SECOND_MIN).max(PORT_BITS_PER_SECOND_MAX).nullable();
/** What is sent faster is dropped, by which TCP slows down. */
export const PortBandwidth = {
  ingressBitsPerSecond: BitsPerSecond.meta({ description: 'How fast it may be sent to; null: not limited' }),
  egressBitsPerSecond: BitsPerSecond.meta({ description: 'How fast it may send; null: not limited' }),
};

export const CreatePortRequest = z
  .strictObject({
    name: ResourceName.optional().meta({ description: 'Its DNS name in the domain of the network' }),
    macAddress: MacAddress.optional(),
    address: Ipv4Address.optional().meta({ description: 'Default: one that is free' }),
    vmId: VmId.optional().meta({ description: 'VM that the port is for, of the same project' }),
    securityGroupIds: SecurityGroupIds.default([]),
    ingressBitsPerSecond: PortBandwidth.ingressBitsPerSecond.optional(),
    egressBitsPerSecond: PortBandwidth.egressBitsPerSecond.optional(),
  })
  .meta({ id: 'CreatePortRequest' });
export type CreatePortRequest = z.infer<typeof CreatePortRequest>;

export const UpdatePortRequest = z
  .strictObject({
    vmId: VmId.nullable().optional().meta({ description: 'null: for no VM any more' }),
    securityGroupIds: SecurityGroupIds.optional(),
    ingressBitsPerSecond: PortBandwidth.ingressBitsPerSecond.optional(),
    egressBitsPerSecond: PortBandwidth.egressBitsPerSecond.optional(),
  })
  .meta({ id: 'UpdatePortRequest' });
export type UpdatePortRequest = z.infer<typeof UpdatePortRequest>;

export const Port = z
  .object({
    id: PortId,
    networkId: NetworkId,
    projectId: ProjectId,
    vmId: VmId.nullable().meta({ description: 'The VM that it is for; null: none' }),
    name: z.string().nullable(),
    macAddress: z.string(),
    address: z.string(),
    securityGroupIds: z.array(SecurityGroupId),
    ...PortBandwidth,
    generation: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'Port', description: 'A place on a network, with its addresses' });
export type Port = z.infer<typeof Port>;

export const ListPortsQuery = PageQuery.extend({
  vmId: VmId.optional(),
  name: ResourceName.optional(),
  address: Ipv4Address.optional(),
});
export type ListPortsQuery = z.infer<typeof ListPortsQuery>;
