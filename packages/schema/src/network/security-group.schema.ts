import { z } from 'zod';
import { ProjectId, SecurityGroupId } from '../ids.js';
import { RULES_PER_SECURITY_GROUP_MAX } from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';
import { formatIpv4Cidr, parseIpv4Cidr } from './ipv4.js';

const PORT_NUMBER_MAX = 65_535;
const PortNumber = z.int().min(1).max(PORT_NUMBER_MAX);

const PeerRange = z
  .string()
  .max(18)
  .superRefine((text, context) => {
    const range = parseIpv4Cidr(text);
    if (range === null)
      context.addIssue({ code: 'custom', message: 'must be an IPv4 range, such as 192.0.2.0/24 or 192.0.2.7/32' });
    else if (formatIpv4Cidr(range) !== text)
      context.addIssue({
        code: 'custom',
        message: `has bits beyond its length; you may mean ${formatIpv4Cidr(range)}`,
      });
  })
  .meta({ description: 'Addresses of the other side' });

export const SecurityGroupRule = z
  .strictObject({
    direction: z.enum(['ingress', 'egress']).meta({ description: 'Connections to the port, or from it' }),
    protocol: z.enum(['any', 'tcp', 'udp', 'icmp']).default('any'),
    portMin: PortNumber.nullable().default(null).meta({ description: 'Of tcp and udp; null: all' }),
    portMax: PortNumber.nullable().default(null).meta({ description: 'Default: portMin alone' }),
    cidr: PeerRange.nullable().default(null),
    peerGroupId: SecurityGroupId.nullable()
      .default(null)
      .meta({ description: 'The other side is a port with this group; with neither this nor cidr, it is anybody' }),
  })
  .superRefine(({ protocol, portMin, portMax, cidr, peerGroupId }, context) => {
    const wrong = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (portMin !== null && protocol !== 'tcp' && protocol !== 'udp')
      wrong('portMin', `goes with tcp or udp, not with ${protocol}`);
    if (portMin === null && portMax !== null) wrong('portMin', 'is needed beside portMax');
    if (portMin !== null && portMax !== null && portMax < portMin) wrong('portMax', `must not be below ${portMin}`);
    if (cidr !== null && peerGroupId !== null) wrong('peerGroupId', 'goes without cidr; write two rules for both');
  })
  .meta({ id: 'SecurityGroupRule', description: 'Allows connections; answers to them are always let through' });
export type SecurityGroupRule = z.output<typeof SecurityGroupRule>;

const Rules = z.array(SecurityGroupRule).max(RULES_PER_SECURITY_GROUP_MAX);
const Description = z
  .string()
  .max(255)
  .regex(/^\P{C}*$/u, { error: 'must be one line without control characters' });

/** Guests may call out, as everywhere; whoever wants less says so. */
const ANYTHING_OUT: SecurityGroupRule = {
  direction: 'egress',
  protocol: 'any',
  portMin: null,
  portMax: null,
  cidr: null,
  peerGroupId: null,
};

export const CreateSecurityGroupRequest = z
  .strictObject({
    name: ResourceName,
    projectId: ProjectId.optional().meta({ description: "Defaults to the token's project, or to `default`" }),
    description: Description.default(''),
    rules: Rules.default([ANYTHING_OUT]).meta({ description: 'Default: everything out, nothing in' }),
  })
  .meta({ id: 'CreateSecurityGroupRequest' });
export type CreateSecurityGroupRequest = z.infer<typeof CreateSecurityGroupRequest>;

export const UpdateSecurityGroupRequest = z
  .strictObject({
    name: ResourceName.optional(),
    description: Description.optional(),
    rules: Rules.optional().meta({ description: 'All its rules from now on' }),
  })
  .meta({ id: 'UpdateSecurityGroupRequest' });
export type UpdateSecurityGroupRequest = z.infer<typeof UpdateSecurityGroupRequest>;

export const SecurityGroup = z
  .object({
    id: SecurityGroupId,
    projectId: ProjectId,
    name: ResourceName,
    description: z.string(),
    rules: z.array(
      z
        .object({
          direction: z.enum(['ingress', 'egress']),
          protocol: z.enum(['any', 'tcp', 'udp', 'icmp']),
          portMin: z.int().nullable(),
          portMax: z.int().nullable(),
          cidr: z.string().nullable(),
          peerGroupId: SecurityGroupId.nullable(),
        })
        .meta({ id: 'AllowedTraffic' }),
    ),
    generation: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'SecurityGroup' });
export type SecurityGroup = z.infer<typeof SecurityGroup>;

export const ListSecurityGroupsQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  name: ResourceName.optional(),
});
export type ListSecurityGroupsQuery = z.infer<typeof ListSecurityGroupsQuery>;
