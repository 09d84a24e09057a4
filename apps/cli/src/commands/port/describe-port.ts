import type { Port } from '@kvorum/client';
import { formatBitRate } from '../../bit-rate.js';
import type { Column, Field } from '../../print-table.js';

export const PORT_COLUMNS: readonly Column<Port>[] = [
  { title: 'NAME', of: (port) => port.name },
  { title: 'ADDRESS', of: (port) => port.address },
  { title: 'MAC ADDRESS', of: (port) => port.macAddress },
  { title: 'GROUPS', of: (port) => port.securityGroupIds.length },
  { title: 'VM', of: (port) => port.vmId },
  { title: 'ID', of: (port) => port.id },
];

export const describePort = (port: Port): readonly Field[] => [
  ['name', port.name],
  ['id', port.id],
  ['network', port.networkId],
  ['address', port.address],
  ['MAC address', port.macAddress],
  ['VM', port.vmId],
  ['security groups', port.securityGroupIds.join(', ') || 'none: nobody may talk to it, and it may talk to all'],
  ['receives at most', bitRateText(port.ingressBitsPerSecond)],
  ['sends at most', bitRateText(port.egressBitsPerSecond)],
  ['created', port.createdAt],
  ['changed', port.updatedAt],
];

const bitRateText = (bitsPerSecond: number | null): string =>
  bitsPerSecond === null ? 'not limited' : formatBitRate(bitsPerSecond);
