import type { Vm } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { Column, Field } from '../../print-table.js';
import { valueText } from '../../value-text.js';

const diskBytes = (vm: Vm): number => vm.volumes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** "active: has 3 GiB, needs 1.5 GiB, keeps at least 2 GiB". */
function describeBalloon({ balloon, guest }: Vm): string {
  if (!balloon.enabled) return 'disabled';
  const parts = [
    ['has', guest.balloonBytes],
    ['needs', balloon.workingSetBytes],
    ['keeps at least', balloon.minimumBytes],
  ] as const;
  const known = parts.flatMap(([what, bytes]) => (bytes === null ? [] : [`${what} ${formatByteSize(bytes)}`]));
  return `${balloon.status ?? 'not looked at yet'}: ${known.join(', ')}`;
}

/** Lines of a table stay readable up to here; the rest is in `-o json`. */
const VCPUS_SHOWN_MAX = 64;

/** "vCPU 0 on CPU 4, vCPU 1 on CPU 5; other threads on CPU 0-3". */
function runsOnFields({ runsOn, hardware, vcpuCount }: Vm): readonly Field[] {
  const { policy, smt } = hardware.cpuPolicy;
  const policyField = ['CPU policy', policy === 'shared' ? policy : `${policy}, SMT ${smt}`] as const;
  if (runsOn === null) return [policyField];
  const { vcpuCpus, otherCpus, memoryNodes, memoryOverhead } = runsOn;
  const own = vcpuCpus.slice(0, VCPUS_SHOWN_MAX).map((cpu, vcpu) => `vCPU ${vcpu} on CPU ${cpu}`);
  const more = vcpuCpus.length > own.length ? [`${vcpuCpus.length - own.length} more`] : [];
  const others = `other threads on CPU ${otherCpus}`;
  const where =
    vcpuCpus.length === 0 ? `${vcpuCount} vCPUs share CPU ${otherCpus}` : `${[...own, ...more].join(', ')}; ${others}`;
  const nodes = memoryNodes.map((hostNode, guestNode) => `guest node ${guestNode} on host node ${hostNode}`);
  const { promisedBytes, measuredBytes } = memoryOverhead;
  const measured = measuredBytes === null ? 'not measured yet' : `${formatByteSize(measuredBytes)} now`;
  return [
    policyField,
    ['runs on', where],
    ...(nodes.length === 0 ? [] : [['NUMA', nodes.join(', ')] as const]),
    ['memory overhead', `${measured}, ${formatByteSize(promisedBytes)} promised`],
  ];
}

export const VM_COLUMNS: readonly Column<Vm>[] = [
  { title: 'NAME', of: (vm) => vm.name },
  { title: 'STATE', of: (vm) => vm.state },
  { title: 'HOST', of: (vm) => vm.hostName },
  { title: 'VCPUS', of: (vm) => vm.vcpuCount },
  { title: 'MEMORY', of: (vm) => formatByteSize(vm.memoryBytes) },
  { title: 'ID', of: (vm) => vm.id },
];

const waitingFields = ({ waiting }: Vm): readonly Field[] =>
  waiting === null
    ? []
    : [
        ['place in the queue', `${waiting.position}, priority ${waiting.priority}, until ${waiting.until}`],
        ['waits because', waiting.reason],
      ];

const cloudInitFields = ({ cloudInit }: Vm): readonly Field[] =>
  cloudInit === null
    ? []
    : [
        ['host name', cloudInit.hostname],
        ['SSH keys', cloudInit.sshAuthorizedKeys.length],
        ['user data', cloudInit.hasUserData ? 'kept encrypted' : 'none'],
        ['instance id', cloudInit.instanceId],
      ];

export const describeVm = (vm: Vm): readonly Field[] => [
  ['name', vm.name],
  ['id', vm.id],
  ['state', vm.state],
  ['may be asked to', vm.allowedRequests.join(', ')],
  ['host', vm.hostName],
  ...(vm.highAvailability ? [['high availability', 'room is kept for it'] as const] : []),
  ...(vm.vmGroupId === null ? [] : [['VM group', vm.vmGroupId] as const]),
  ...waitingFields(vm),
  ['accelerator', vm.accelerator],
  ['vCPUs', vm.vcpuCount],
  ['CPU model', vm.hardware.cpu.model ?? 'default'],
  ['machine type', vm.machineType],
  ['memory', formatByteSize(vm.memoryBytes)],
  ...runsOnFields(vm),
  ['balloon', describeBalloon(vm)],
  ...cloudInitFields(vm),
  ['disk', formatByteSize(diskBytes(vm))],
  ['guest agent', vm.guest.agent],
  ['flavor', vm.flavorId],
  ['image', vm.imageId],
  ...(vm.templateId === null ? [] : [['fork of template', vm.templateId] as const]),
  ['project', vm.projectId],
  ['generation', vm.generation],
  ['epoch', vm.epoch],
  ['operation', vm.operationId],
  [
    'labels',
    Object.entries(vm.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(', '),
  ],
  ['created', vm.createdAt],
  ...vm.pendingChanges.map(
    ({ field, from, to }) =>
      [
        'at its next start',
        `${field}: ${valueText(field, from) ?? 'none'} -> ${valueText(field, to) ?? 'none'}`,
      ] as const,
  ),
  ...(vm.failure === null ? [] : [['failure', `${vm.failure.code}: ${vm.failure.message}`] as const]),
];
