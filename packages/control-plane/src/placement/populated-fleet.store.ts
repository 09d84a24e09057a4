import { type Fleet, fleetOf, type PlacedVm } from '@kvorum/scheduler';
import { type Accelerator, VmHardware, type VmState } from '@kvorum/schema';
import type { Database } from '../database/database.js';
import { FEED_START, readFleetChanges, TraitSets } from '../host/fleet.store.js';
import { requestOfVm } from '../vm/request-of-vm.js';

/** The fleet with its VMs, for questions about what would be. Placing VMs needs no VMs, and has a fleet of its own. */
export interface PopulatedFleet {
  readonly fleet: Fleet;
  readonly vmNames: ReadonlyMap<string, string>;
}

interface PlacedRow {
  readonly vm_id: string;
  readonly host_id: string;
  readonly name: string;
  readonly state: VmState;
  readonly accelerator: Accelerator | null;
  readonly vcpu_count: number;
  readonly memory_bytes: bigint;
  readonly disk_bytes: bigint;
  readonly hardware: unknown;
  readonly machine_type: string | null;
}

/**
 * Reads all hosts and all VMs that hold room. Two statements, so two moments: a VM that came between them is on a host whose
 * numbers do not have it yet. What rests on it is a forecast, never a reservation.
 */
export async function readPopulatedFleet(database: Database): Promise<PopulatedFleet> {
  const { hosts } = await readFleetChanges(database, new TraitSets(), [], FEED_START);
  const rows = await database.$queryRaw<PlacedRow[]>`
    SELECT r.vm_id, r.host_id, v.name, v.state, v.accelerator, v.vcpu_count, v.memory_bytes, v.hardware,
           v.machine_type, r.disk_bytes
      FROM reservations r JOIN vms v ON v.id = r.vm_id
     WHERE r.purpose = 'run'`;
  const present = hosts.filter(({ state }) => state !== 'revoked');
  return {
    fleet: fleetOf(present, { vms: rows.map(placedVmOf) }),
    vmNames: new Map(rows.map((row) => [row.vm_id, row.name])),
  };
}

function placedVmOf(row: PlacedRow): PlacedVm {
  const hardware = VmHardware.parse(row.hardware);
  // The machine it was first started as is the machine it stays.
  const machineType = hardware.machineType ?? row.machine_type;
  const vm = { accelerator: row.accelerator ?? undefined, hardware: { ...hardware, machineType } };
  const size = { vcpuCount: row.vcpu_count, memoryBytes: Number(row.memory_bytes) };
  return {
    vmId: row.vm_id,
    hostId: row.host_id,
    request: {
      ...requestOfVm(vm, size, Number(row.disk_bytes)),
      isHighlyAvailable: MOVABLE_LIVE.includes(row.state),
    },
    numa: null,
    mobility: mobilityOf(row.state),
  };
}

const MOVABLE_LIVE: readonly VmState[] = ['running', 'paused'];
const MOVABLE_STOPPED: readonly VmState[] = ['stopped', 'failed'];

function mobilityOf(state: VmState): NonNullable<PlacedVm['mobility']> {
  if (MOVABLE_LIVE.includes(state)) return 'live';
  if (MOVABLE_STOPPED.includes(state)) return 'stopped';
  return { no: `it is ${state}` };
}
