import type { HostGroup, PlacedVm, PlacementGroup, Policy } from '@kvorum/scheduler';
import { type Accelerator, VmHardware } from '@kvorum/schema';
import type { Database } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import { requestOfVm } from '../vm/request-of-vm.js';

/** A VM as far as placing other VMs goes by it. */
export interface PlacedVmRow {
  readonly vm_id: string;
  readonly host_id: string;
  readonly accelerator: Accelerator | null;
  readonly vcpu_count: number;
  readonly memory_bytes: bigint;
  readonly disk_bytes: bigint;
  readonly hardware: unknown;
  readonly cloud_init: object | null;
  readonly machine_type: string | null;
  readonly vm_group_id: string | null;
  readonly is_highly_available: boolean;
}

/** Of `vms v` and its reservation `r`. */
export const PLACED_VM_COLUMNS = Prisma.sql`
  v.id AS vm_id, r.host_id, v.accelerator, v.vcpu_count, v.memory_bytes, v.hardware, v.cloud_init, v.machine_type, v.vm_group_id,
  v.is_highly_available, r.disk_bytes`;

export function placedVmOf(row: PlacedVmRow): Omit<PlacedVm, 'mobility'> {
  const hardware = VmHardware.parse(row.hardware);
  // The machine it was first started as is the machine it stays.
  const machineType = hardware.machineType ?? row.machine_type;
  const vm = {
    accelerator: row.accelerator ?? undefined,
    hardware: { ...hardware, machineType },
    cloudInit: row.cloud_init,
    vmGroupId: row.vm_group_id,
    highAvailability: row.is_highly_available,
  };
  const size = { vcpuCount: row.vcpu_count, memoryBytes: Number(row.memory_bytes) };
  return { vmId: row.vm_id, hostId: row.host_id, request: requestOfVm(vm, size, Number(row.disk_bytes)), numa: null };
}

export interface GroupRules {
  readonly groupId: string;
  readonly rules: readonly PlacementGroup[];
}

/** What the feed of the fleet tells of VMs that others' placement looks at, and of their groups. */
export interface VmChanges {
  /** `vm` null: it holds no room any more, or nobody's placement looks at it. */
  readonly vms: readonly { readonly vmId: string; readonly vm: PlacedVm | null }[];
  readonly groups: readonly GroupRules[];
  /** Whether `groups` are all that there are, or those that have changed. */
  readonly areAllGroups: boolean;
  /** Of all groups there are: a reader that knows more of them knows some that were deleted, and asks for all of them. */
  readonly groupCount: number;
  /** All that there are. */
  readonly hostGroups: readonly HostGroup[];
}

type VmFeedRow = Omit<PlacedVmRow, 'host_id' | 'disk_bytes'> & {
  readonly host_id: string | null;
  readonly disk_bytes: bigint | null;
};

/** No transaction is older. */
const EVERYTHING = 0n;
/** What is known of VMs here is too little to say which of them could move: plans read all of them anew. */
const NOT_MOVED = { no: 'VMs are moved by plans alone' } as const;

/**
 * VMs and groups that have changed since an earlier read's horizon, as readFleetChanges tells hosts. To be read after the
 * hosts, from the same horizon: what is seen here beyond them is told again with the next read.
 */
export async function readVmChanges(
  database: Database,
  sinceXactId: bigint,
  wantsAllGroups: boolean,
): Promise<VmChanges> {
  const rows = await database.$queryRaw<VmFeedRow[]>`
    SELECT ${PLACED_VM_COLUMNS}
      FROM vms v LEFT JOIN reservations r ON r.vm_id = v.id AND r.purpose = 'run'
     WHERE v.placement_xact_id >= ${sinceXactId}::bigint`;
  const { groups, groupCount } = await readGroupRules(database, wantsAllGroups ? EVERYTHING : sinceXactId);
  return {
    vms: rows.map(vmChangeOf),
    groups,
    areAllGroups: wantsAllGroups,
    groupCount,
    hostGroups: await readHostGroups(database),
  };
}

function vmChangeOf(row: VmFeedRow): VmChanges['vms'][number] {
  const { vm_id: vmId, host_id, disk_bytes } = row;
  const isLookedAt = row.vm_group_id !== null || row.is_highly_available;
  if (host_id === null || disk_bytes === null || !isLookedAt) return { vmId, vm: null };
  return { vmId, vm: { ...placedVmOf({ ...row, host_id, disk_bytes }), mobility: NOT_MOVED } };
}

/** In the words of the scheduler. They are few, so all of them are read each time. */
export async function readHostGroups(database: Database): Promise<HostGroup[]> {
  const rows = await database.hostGroup.findMany({
    select: { id: true, name: true, policy: true, reserveHostFailures: true },
    orderBy: { id: 'asc' },
  });
  return rows.map(({ id, name, policy, reserveHostFailures }) => ({
    hostGroupId: id,
    name,
    policy: policy as Policy,
    haReserveHostCount: reserveHostFailures,
  }));
}

interface GroupRow {
  readonly id: string | null;
  readonly name: string;
  readonly rules: readonly (Omit<PlacementGroup, 'groupId' | 'skewMax'> & { readonly skewMax: number | null })[];
  readonly group_count: number;
}

/** The rules of groups in the words of the scheduler, of those that have changed since; and how many groups there are. */
export async function readGroupRules(
  database: Database,
  sinceXactId: bigint,
): Promise<{ groups: GroupRules[]; groupCount: number }> {
  const rows = await database.$queryRaw<GroupRow[]>`
    SELECT g.id, g.name, g.rules, n.group_count
      FROM (SELECT count(*)::int AS group_count FROM vm_groups) n
      LEFT JOIN vm_groups g ON g.changed_xact_id >= ${sinceXactId}::bigint`;
  const groups = rows.flatMap(({ id, name, rules }) =>
    id === null
      ? []
      : [
          {
            groupId: id,
            rules: rules.map(({ skewMax, ...rule }) => ({
              ...rule,
              groupId: id,
              name,
              ...(skewMax === null ? {} : { skewMax }),
            })),
          },
        ],
  );
  return { groups, groupCount: rows[0]?.group_count ?? 0 };
}
