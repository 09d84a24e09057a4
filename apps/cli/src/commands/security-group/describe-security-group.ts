import type { SecurityGroup } from '@kvorum/client';
import type { Column, Field } from '../../print-table.js';

export const SECURITY_GROUP_COLUMNS: readonly Column<SecurityGroup>[] = [
  { title: 'NAME', of: (group) => group.name },
  { title: 'RULES', of: (group) => group.rules.length },
  { title: 'DESCRIPTION', of: (group) => group.description },
  { title: 'ID', of: (group) => group.id },
];

type Rule = SecurityGroup['rules'][number];

/** As the options take it: `tcp:80-81@192.0.2.0/24`. */
const formatRule = ({ protocol, portMin, portMax, cidr, peerGroupId }: Rule): string => {
  const ports = portMin === portMax ? `${portMin}` : `${portMin}-${portMax}`;
  const peer = cidr ?? peerGroupId;
  return `${protocol}${portMin === null ? '' : `:${ports}`}${peer === null ? '' : `@${peer}`}`;
};

export const describeSecurityGroup = (group: SecurityGroup): readonly Field[] => [
  ['name', group.name],
  ['id', group.id],
  ['project', group.projectId],
  ['description', group.description],
  ...group.rules.map((rule) => [rule.direction === 'ingress' ? 'in' : 'out', formatRule(rule)] as const),
  ['created', group.createdAt],
  ['changed', group.updatedAt],
];
