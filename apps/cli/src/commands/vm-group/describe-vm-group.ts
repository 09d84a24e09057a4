import type { VmGroup, VmGroupDetails } from '@kvorum/client';
import type { Column, Field } from '../../print-table.js';

export const VM_GROUP_COLUMNS: readonly Column<VmGroup>[] = [
  { title: 'NAME', of: (group) => group.name },
  { title: 'VMS', of: (group) => group.vmCount },
  { title: 'RULES', of: (group) => group.rules.map(formatRule).join(' ') },
  { title: 'ID', of: (group) => group.id },
];

/** As the option takes it: `spread:rack:hard:2`. */
const formatRule = ({ kind, level, strength, skewMax }: VmGroup['rules'][number]): string =>
  [kind, level, strength, ...(skewMax === null ? [] : [skewMax])].join(':');

export const describeVmGroup = (group: VmGroupDetails): readonly Field[] => [
  ['name', group.name],
  ['id', group.id],
  ['project', group.projectId],
  ['description', group.description],
  ...group.rules.map((rule) => ['rule', formatRule(rule)] as const),
  ['VMs', group.vmCount],
  ...group.violations.map((violation) => ['broken', describeViolation(violation)] as const),
  ['created', group.createdAt],
  ['changed', group.updatedAt],
];

function describeViolation({
  kind,
  level,
  strength,
  reason,
  vmCount,
  vms,
}: VmGroupDetails['violations'][number]): string {
  const more = vmCount > vms.length ? ', …' : '';
  return `${kind}:${level}:${strength}: ${reason} (${vms.map(({ vmName }) => vmName).join(', ')}${more})`;
}
