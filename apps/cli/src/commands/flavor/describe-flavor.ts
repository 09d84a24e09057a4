import type { Flavor } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { Column, Field } from '../../print-table.js';

export const FLAVOR_COLUMNS: readonly Column<Flavor>[] = [
  { title: 'NAME', of: (flavor) => flavor.name },
  { title: 'VCPUS', of: (flavor) => flavor.vcpuCount },
  { title: 'MEMORY', of: (flavor) => formatByteSize(flavor.memoryBytes) },
  { title: 'ROOT DISK', of: (flavor) => formatByteSize(flavor.rootDiskBytes) },
  { title: 'ID', of: (flavor) => flavor.id },
];

export const describeFlavor = (flavor: Flavor): readonly Field[] => [
  ['name', flavor.name],
  ['id', flavor.id],
  ['vCPUs', flavor.vcpuCount],
  ['memory', formatByteSize(flavor.memoryBytes)],
  ['root disk', formatByteSize(flavor.rootDiskBytes)],
  ['created', flavor.createdAt],
];
