import type { Host } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { Column, Field } from '../../print-table.js';

const share = (reserved: number, capacity: number, format: (amount: number) => string): string =>
  `${format(reserved)} of ${format(capacity)}`;

export const HOST_COLUMNS: readonly Column<Host>[] = [
  { title: 'NAME', of: (host) => host.name },
  { title: 'STATE', of: (host) => host.state },
  { title: 'AGENT', of: (host) => host.connectivity },
  { title: 'ACCELERATOR', of: (host) => host.accelerator },
  { title: 'VCPUS', of: ({ reserved, capacity }) => share(reserved.vcpuCount, capacity.vcpuCount, String) },
  {
    title: 'MEMORY',
    of: ({ reserved, capacity }) => share(reserved.memoryBytes, capacity.memoryBytes, formatByteSize),
  },
  { title: 'DISK', of: ({ reserved, capacity }) => share(reserved.diskBytes, capacity.diskBytes, formatByteSize) },
  {
    title: 'OWN CPUS',
    of: ({ reserved, capacity }) => share(reserved.dedicatedCpuCount, capacity.dedicatedCpuCount, String),
  },
  { title: 'ID', of: (host) => host.id },
];

export const describeHost = (host: Host): readonly Field[] => [
  ['name', host.name],
  ['id', host.id],
  ['state', host.state],
  ['cordon reason', host.cordonReason],
  ['agent', host.connectivity],
  ['agent version', host.agentVersion],
  ['address', host.address],
  ['accelerator', host.accelerator],
  ['vCPUs reserved', share(host.reserved.vcpuCount, host.capacity.vcpuCount, String)],
  ['memory reserved', share(host.reserved.memoryBytes, host.capacity.memoryBytes, formatByteSize)],
  ['dedicated CPUs reserved', share(host.reserved.dedicatedCpuCount, host.capacity.dedicatedCpuCount, String)],
  ...hugePageFields(host),
  ['disk reserved', share(host.reserved.diskBytes, host.capacity.diskBytes, formatByteSize)],
  ...(host.facts === null ? [] : factFields(host.facts)),
  ...host.networkFaults.map(({ networkId, message }) => [`network ${networkId}`, message] as const),
  ['last report', host.lastReportAt],
  ['certificate ends', host.certificateExpiresAt],
  ['created', host.createdAt],
];

/** Only of hosts that have set some aside. */
const hugePageFields = ({ reserved, capacity }: Host): readonly Field[] =>
  (
    [
      ['2 MiB pages reserved', reserved.hugePages2MibBytes, capacity.hugePages2MibBytes],
      ['1 GiB pages reserved', reserved.hugePages1GibBytes, capacity.hugePages1GibBytes],
    ] as const
  )
    .filter(([, held, has]) => held + has > 0)
    .map(([name, held, has]) => [name, share(held, has, formatByteSize)] as const);

const factFields = (facts: NonNullable<Host['facts']>): readonly Field[] => [
  ['kernel', facts.kernel],
  ['QEMU', facts.qemuVersion],
  ['CPU', facts.cpuModel],
  ...facts.cpu.map(
    ({ accelerator, level, models }) =>
      [`CPU models (${accelerator})`, `x86-64-v${level}; ${models.map(({ name }) => name).join(', ')}`] as const,
  ),
  ['machine types', facts.machineTypes.join(', ')],
  ['KVM', `${facts.kvm.verdict ?? (facts.kvm.isProven ? 'proven' : 'not proven')}: ${facts.kvm.reason}`],
  ...facts.findings.map(({ name, value, remedy }) => [name, remedy === null ? value : `${value} (${remedy})`] as const),
];
