import type { Tx } from '../database/database.js';
import { addressTaken, cardsOf, takeAddresses } from './nic-address.store.js';
import type { VmParts } from './vm-parts.js';

interface CardsOfClaim {
  readonly ids: { readonly vmId: string };
  readonly parts: VmParts;
}

/** Of all their network cards. Throws already_exists that names the card. */
export async function takeAddressesFor(tx: Tx, claims: readonly CardsOfClaim[]): Promise<void> {
  const cards = claims.flatMap(({ ids, parts }) => cardsOf(ids.vmId, [parts]));
  const taken = await takeAddresses(tx, cards);
  if (taken === null) return;
  const index = claims
    .flatMap(({ parts }) => [parts.hardware.devices.nics.findIndex(({ macAddress }) => macAddress === taken)])
    .find((found) => found >= 0);
  throw addressTaken(taken, `body.hardware.devices.nics[${index}].macAddress`);
}
