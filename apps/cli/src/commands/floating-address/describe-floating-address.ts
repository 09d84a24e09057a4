import type { FloatingAddress } from '@kvorum/client';
import type { Column, Field } from '../../print-table.js';

export const FLOATING_ADDRESS_COLUMNS: readonly Column<FloatingAddress>[] = [
  { title: 'ADDRESS', of: (address) => address.address },
  { title: 'PORT', of: (address) => address.portId },
  { title: 'HOST', of: (address) => address.hostId },
  { title: 'ID', of: (address) => address.id },
];

export const describeFloatingAddress = (address: FloatingAddress): readonly Field[] => [
  ['address', address.address],
  ['id', address.id],
  ['project', address.projectId],
  ['range', address.rangeId],
  ['port', address.portId],
  ['host', address.hostId],
  ['created', address.createdAt],
  ['changed', address.updatedAt],
];
