import type { Project } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { Column, Field } from '../../print-table.js';

const ofQuota = (used: number, quota: number, format: (amount: number) => string): string =>
  `${format(used)} of ${format(quota)}`;

export const PROJECT_COLUMNS: readonly Column<Project>[] = [
  { title: 'NAME', of: (project) => project.name },
  { title: 'VMS', of: ({ used, quota }) => ofQuota(used.vmCount, quota.vmCount, String) },
  { title: 'VCPUS', of: ({ used, quota }) => ofQuota(used.vcpuCount, quota.vcpuCount, String) },
  { title: 'MEMORY', of: ({ used, quota }) => ofQuota(used.memoryBytes, quota.memoryBytes, formatByteSize) },
  { title: 'DISK', of: ({ used, quota }) => ofQuota(used.diskBytes, quota.diskBytes, formatByteSize) },
  { title: 'ID', of: (project) => project.id },
];

export const describeProject = (project: Project): readonly Field[] => [
  ...PROJECT_COLUMNS.map((column) => [column.title.toLowerCase(), column.of(project)] as const),
  ['created', project.createdAt],
];
