import { DomainError } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import type { VmShape } from './vm-shape.js';

/** A network card, as the table of addresses knows it. */
export interface CardAddress {
  readonly vmId: string;
  readonly nicId: string;
  readonly macAddress: string;
}

/** The cards of all shapes of a VM that have an address of their own; that of a card on a network is its port's. */
export const cardsOf = (vmId: string, shapes: readonly Pick<VmShape, 'hardware'>[]): CardAddress[] =>
  shapes
    .flatMap(({ hardware }) => hardware.devices.nics)
    .filter(({ backend }) => backend.kind !== 'network')
    .flatMap(({ id, macAddress }) => (id === null || macAddress === null ? [] : [{ vmId, nicId: id, macAddress }]));

/**
 * Claims the addresses of cards. Returns one that another card of the site has, or null. One statement, in the order of the
 * addresses: each row is locked, or waited for, before the next one, so that two transactions never wait for each other.
 */
export async function takeAddresses(tx: Tx, cards: readonly CardAddress[]): Promise<string | null> {
  const byAddress = new Map<string, CardAddress>();
  for (const card of cards) {
    const other = byAddress.get(card.macAddress);
    if (other !== undefined && (other.vmId !== card.vmId || other.nicId !== card.nicId)) return card.macAddress;
    byAddress.set(card.macAddress, card);
  }
  if (byAddress.size === 0) return null;
  const taken = await tx.$queryRaw<{ mac_address: string }[]>`
    INSERT INTO nic_addresses (mac_address, vm_id, nic_id)
    SELECT "macAddress", "vmId", "nicId"
      FROM jsonb_to_recordset(${JSON.stringify([...byAddress.values()])}::jsonb)
        AS c ("macAddress" text, "vmId" uuid, "nicId" uuid)
     ORDER BY "macAddress"
    ON CONFLICT (mac_address) DO UPDATE SET mac_address = excluded.mac_address
      WHERE nic_addresses.vm_id = excluded.vm_id AND nic_addresses.nic_id = excluded.nic_id
    RETURNING mac_address`;
  for (const { mac_address } of taken) byAddress.delete(mac_address);
  const [refused = null] = byAddress.keys();
  return refused;
}

export const addressTaken = (address: string, field: string): DomainError =>
  new DomainError('already_exists', `another network card of the site has the address ${address}`, {
    details: { fields: [{ field, message: `${address} is taken` }] },
  });

/** Gives up the addresses of a VM that none of the shapes needs. */
export async function keepAddresses(tx: Tx, vmId: string, shapes: readonly VmShape[]): Promise<void> {
  const kept = shapes.flatMap(({ hardware }) => hardware.devices.nics.map(({ macAddress }) => macAddress ?? ''));
  await tx.$executeRaw`
    DELETE FROM nic_addresses WHERE vm_id = ${vmId}::uuid AND mac_address <> ALL (${kept}::text[])`;
}
