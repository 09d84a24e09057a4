import type { PlacementRequest } from '@kvorum/scheduler';
import { FLOATING_TRAIT, type VmHardware } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { cardPortsOf } from '../vm/card-port.store.js';
import { hasFloatingAddress } from './floating-address.store.js';

/** What is asked of placement, for a VM one of whose ports has a floating address: its host must be able to answer for it. */
export async function withFloatingTrait<Request extends PlacementRequest>(
  database: Database | Tx,
  vm: { readonly hardware: VmHardware },
  wanted: Request,
): Promise<Request> {
  const portIds = cardPortsOf([vm]).map(({ portId }) => portId);
  if (!(await hasFloatingAddress(database, portIds))) return wanted;
  return { ...wanted, requiredTraits: [...(wanted.requiredTraits ?? []), FLOATING_TRAIT] };
}
