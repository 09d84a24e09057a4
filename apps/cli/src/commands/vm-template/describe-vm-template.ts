import type { VmTemplate, VmTemplatePlan } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import { type Column, type Field, formatTable } from '../../print-table.js';

export const TEMPLATE_COLUMNS: readonly Column<VmTemplate>[] = [
  { title: 'NAME', of: (template) => template.name },
  { title: 'STATE', of: (template) => template.state },
  { title: 'HOST', of: (template) => template.hostName },
  { title: 'VCPUS', of: (template) => template.vcpuCount },
  { title: 'MEMORY', of: (template) => formatByteSize(template.memoryBytes) },
  { title: 'FORKS', of: (template) => template.forkCount },
  { title: 'OF', of: (template) => template.goldenVmName },
  { title: 'ID', of: (template) => template.id },
];

export const describeTemplate = (template: VmTemplate): readonly Field[] => [
  ['name', template.name],
  ['id', template.id],
  ['project', template.projectId],
  ['state', template.state],
  ['host', template.hostName],
  ['frozen of', `${template.goldenVmName} (${template.goldenVmId})`],
  ['frozen', template.frozenAt],
  ['rests on template', template.baseTemplateId],
  ['forks', template.forkCount],
  ['vCPUs', template.vcpuCount],
  ['memory', formatByteSize(template.memoryBytes)],
  ['disk', formatByteSize(template.rootDiskBytes)],
  ["takes of its host's disk", template.occupiedBytes === null ? null : formatByteSize(template.occupiedBytes)],
  ['seed disk', template.hasSeedDisk ? 'yes: each fork has its own' : 'no'],
  ['machine type', template.machineType],
  ['accelerator', template.accelerator],
  ['flavor', template.flavorId],
  ['image', template.imageId],
  ['operation', template.operationId],
  ['failure', template.failure === null ? null : `${template.failure.code}: ${template.failure.message}`],
];

const STEP_COLUMNS: readonly Column<VmTemplatePlan['steps'][number]>[] = [
  { title: 'STEP', of: ({ name }) => name },
  { title: 'IF IT FAILS', of: ({ undo }) => undo },
];

export function formatTemplatePlan(plan: VmTemplatePlan, head: (text: string) => string): string {
  const what = `${plan.operation}: on host ${plan.hostName}, with ${formatByteSize(plan.memoryBytes)} of memory`;
  return `${what}\n\n${formatTable(plan.steps, STEP_COLUMNS, head)}`;
}
