import type { Network } from '@kvorum/client';
import type { Column, Field } from '../../print-table.js';

export const NETWORK_COLUMNS: readonly Column<Network>[] = [
  { title: 'NAME', of: (network) => network.name },
  { title: 'KIND', of: (network) => network.kind },
  { title: 'RANGE', of: (network) => network.cidr },
  { title: 'GATEWAY', of: (network) => network.gateway },
  { title: 'PORTS', of: (network) => network.portCount },
  { title: 'ID', of: (network) => network.id },
];

const wireOf = ({ uplink, vlanId, vni }: Network): string | null => {
  if (vni !== null) return `VNI ${vni}`;
  return uplink === null ? null : `${uplink}, ${vlanId === null ? 'untagged' : `VLAN ${vlanId}`}`;
};

export const describeNetwork = (network: Network): readonly Field[] => [
  ['name', network.name],
  ['id', network.id],
  ['project', network.projectId],
  ['kind', network.kind],
  ['wire', wireOf(network)],
  ['range', network.cidr],
  ['gateway', network.gateway],
  ['domain', network.dnsDomain],
  ['MTU', network.mtu],
  ['ports', network.portCount],
  ['created', network.createdAt],
  ['changed', network.updatedAt],
];
