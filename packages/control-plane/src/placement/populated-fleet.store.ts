import { type Fleet, fleetOf, type PlacedVm, type PlacementRequest } from '@kvorum/scheduler';
import { FLOATING_TRAIT, type VmState } from '@kvorum/schema';
import type { Database } from '../database/database.js';
import { FEED_START, readHostChanges, TraitSets } from '../host/fleet.store.js';
import {
  PLACED_VM_COLUMNS,
  type PlacedVmRow,
  placedVmOf,
  readGroupRules,
  readHostGroups,
} from '../host/fleet-vms.store.js';

/**
 * The fleet with its VMs, for questions about what would be. Placing VMs needs those alone that are in groups, and has a
 * fleet of its own.
 */
export interface PopulatedFleet {
  readonly fleet: Fleet;
  readonly vmNames: ReadonlyMap<string, string>;
}

interface PopulatedRow extends PlacedVmRow {
  readonly name: string;
  readonly state: VmState;
  readonly template_id: string | null;
  readonly has_floating_address: boolean;
}

/**
 * Reads all hosts and all VMs that hold room. Several statements, so several moments: a VM that came between them is on a
 * host whose numbers do not have it yet. What rests on it is a forecast, never a reservation.
 */
export async function readPopulatedFleet(
  database: Database,
  highlyAvailable: 'all' | 'that-run' = 'all',
): Promise<PopulatedFleet> {
  const { hosts } = await readHostChanges(database, new TraitSets(), [], FEED_START);
  const rows = await database.$queryRaw<PopulatedRow[]>`
    SELECT ${PLACED_VM_COLUMNS}, v.name, v.state, v.template_id,
           EXISTS (SELECT FROM ports p JOIN floating_addresses f ON f.port_id = p.id
                    WHERE p.vm_id = v.id) AS has_floating_address
      FROM reservations r JOIN vms v ON v.id = r.vm_id
     WHERE r.purpose = 'run'`;
  const { groups } = await readGroupRules(database, FEED_START);
  const placementGroups = groups.flatMap(({ rules }) => rules);
  const present = hosts.filter(({ state }) => state !== 'revoked');
  return {
    fleet: fleetOf(present, {
      hostGroups: await readHostGroups(database),
      placementGroups,
      vms: rows.map((row) => populatedVmOf(row, highlyAvailable)),
    }),
    vmNames: new Map(rows.map((row) => [row.vm_id, row.name])),
  };
}

/** What does not run has nothing to restart, though room is kept for it. */
function populatedVmOf(row: PopulatedRow, highlyAvailable: 'all' | 'that-run'): PlacedVm {
  const counts = highlyAvailable === 'all' || MOVABLE_LIVE.includes(row.state);
  const vm = placedVmOf({ ...row, is_highly_available: row.is_highly_available && counts });
  return { ...vm, request: requestOf(row, vm), mobility: mobilityOf(row) };
}

/** As withFloatingTrait asks when the move is made: another host has to be able to answer for its address as well. */
function requestOf({ has_floating_address }: PopulatedRow, { request }: Pick<PlacedVm, 'request'>): PlacementRequest {
  if (!has_floating_address) return request;
  return { ...request, requiredTraits: [...(request.requiredTraits ?? []), FLOATING_TRAIT] };
}

const MOVABLE_LIVE: readonly VmState[] = ['running', 'paused'];
const MOVABLE_STOPPED: readonly VmState[] = ['stopped', 'failed'];

function mobilityOf({ state, template_id }: PopulatedRow): NonNullable<PlacedVm['mobility']> {
  if (template_id !== null) return { no: 'its disk rests on a template of its host' };
  if (MOVABLE_LIVE.includes(state)) return 'live';
  if (MOVABLE_STOPPED.includes(state)) return 'stopped';
  return { no: `it is ${state}` };
}
