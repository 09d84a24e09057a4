import type { BaselinePreview, HostGroup, HostGroupBaseline } from '@kvorum/client';
import type { Column, Field } from '../../print-table.js';

export const HOST_GROUP_COLUMNS: readonly Column<HostGroup>[] = [
  { title: 'NAME', of: (group) => group.name },
  { title: 'HOSTS', of: (group) => group.hostIds.length },
  { title: 'DESCRIPTION', of: (group) => group.description },
  { title: 'ID', of: (group) => group.id },
];

export const describeHostGroup = (group: HostGroup): readonly Field[] => [
  ['name', group.name],
  ['id', group.id],
  ['description', group.description],
  ['policy', group.policy],
  ['host failures to bear', group.reserve.hostFailures],
  ['hosts', group.hostIds.join(', ') || 'none'],
  ['created', group.createdAt],
  ['changed', group.updatedAt],
];

export const reserveOf = (hostFailures: number | undefined): { hostFailures: number } | undefined =>
  hostFailures === undefined ? undefined : { hostFailures };

const listed = (names: readonly string[]): string => names.join(', ') || 'none';

export const describeBaseline = ({ baseline, unknownHostIds }: HostGroupBaseline): readonly Field[] => [
  ['hosts', baseline.hostCount],
  ['hosts not known', listed(unknownHostIds)],
  ['model to choose', baseline.recommendedModel],
  ['x86-64 level', baseline.level === 0 ? null : `x86-64-v${baseline.level}`],
  ['models', listed(baseline.models.map(({ name }) => name))],
  ['machine types', listed(baseline.machineTypes)],
  ['features', listed(baseline.features)],
];

export const describePreview = (preview: BaselinePreview): readonly Field[] => [
  ['takes something away', preview.isLoss ? 'yes: joining needs --allow-baseline-loss' : 'no'],
  ['features lost', listed(preview.featuresLost)],
  ['models lost', listed(preview.modelsLost)],
  ['machine types lost', listed(preview.machineTypesLost)],
  ['model to choose', `${preview.before.recommendedModel ?? 'none'} -> ${preview.after.recommendedModel ?? 'none'}`],
  ['VMs affected', preview.affectedVmCount],
  ...preview.affectedVms.map(
    ({ name, id, model, machineType }) =>
      [`  ${name}`, `${id} (${model ?? 'default'}, ${machineType ?? 'none'})`] as const,
  ),
];
