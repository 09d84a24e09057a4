import {
  type Accelerator,
  allowedRequests,
  type BalloonPolicy,
  type FlavorId,
  type HostId,
  type ImageId,
  type OperationId,
  type ProjectId,
  type Vm,
  type VmGroupId,
  VmHardware,
  type VmId,
  type VmState,
  type VmTemplateId,
  type VolumeId,
} from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import type { PageBounds } from '../page-cursor.js';
import { CloudInitRecord } from './cloud-init.js';
import { pendingChangesOf } from './plan-update.js';
import { VmShape } from './vm-shape.js';

interface VmRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly state: VmState;
  readonly generation: bigint;
  readonly epoch: bigint;
  readonly flavor_id: string;
  readonly image_id: string;
  readonly template_id: string | null;
  readonly host_id: string | null;
  readonly host_name: string | null;
  readonly vm_group_id: string | null;
  readonly is_highly_available: boolean;
  readonly vcpu_count: number;
  readonly memory_bytes: bigint;
  readonly runs_on: Vm['runsOn'];
  readonly hardware: unknown;
  readonly cloud_init: unknown;
  readonly accelerator: Accelerator | null;
  readonly labels: Record<string, string>;
  readonly waiting: Vm['waiting'];
  readonly failure: Vm['failure'];
  readonly operation_id: string | null;
  readonly observed_at: Date | null;
  readonly guest_agent: Vm['guest']['agent'];
  readonly guest_agent_answered_at: Date | null;
  readonly balloon_bytes: bigint | null;
  readonly guest_interfaces: Vm['guest']['interfaces'];
  readonly conditions: Vm['conditions'];
  readonly balloon_minimum_bytes: bigint | null;
  readonly balloon_shares: number;
  readonly balloon_status: Vm['balloon']['status'];
  readonly working_set_bytes: bigint | null;
  readonly machine_type: string | null;
  readonly next_shape: unknown;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly volumes: { id: string; role: 'root' | 'data'; sizeBytes: number }[] | null;
}

const vmOf = (row: VmRow): Vm => ({
  id: row.id as VmId,
  projectId: row.project_id as ProjectId,
  name: row.name,
  state: row.state,
  allowedRequests: allowedRequests(row.state),
  generation: Number(row.generation),
  epoch: Number(row.epoch),
  flavorId: row.flavor_id as FlavorId,
  imageId: row.image_id as ImageId,
  templateId: row.template_id as VmTemplateId | null,
  hostId: row.host_id as HostId | null,
  hostName: row.host_name,
  highAvailability: row.is_highly_available,
  vmGroupId: row.vm_group_id as VmGroupId | null,
  vcpuCount: row.vcpu_count,
  memoryBytes: Number(row.memory_bytes),
  runsOn: row.runs_on,
  hardware: VmHardware.parse(row.hardware),
  accelerator: row.accelerator,
  machineType: row.machine_type,
  balloon: {
    enabled: row.balloon_minimum_bytes !== null,
    minimumBytes: row.balloon_minimum_bytes === null ? null : Number(row.balloon_minimum_bytes),
    shares: row.balloon_shares,
    status: row.balloon_status,
    workingSetBytes: row.working_set_bytes === null ? null : Number(row.working_set_bytes),
  },
  cloudInit: shownCloudInit(row),
  pendingChanges: row.next_shape === null ? [] : pendingChangesOf(shapeOfRow(row), VmShape.parse(row.next_shape)),
  volumes: (row.volumes ?? []).map((volume) => ({ ...volume, id: volume.id as VolumeId })),
  guest: {
    agent: row.guest_agent,
    lastAnswerAt: row.guest_agent_answered_at?.toISOString() ?? null,
    balloonBytes: row.balloon_bytes === null ? null : Number(row.balloon_bytes),
    interfaces: row.guest_interfaces,
  },
  conditions: row.conditions,
  waiting: row.waiting === null ? null : { ...row.waiting, until: new Date(row.waiting.until).toISOString() },
  failure: row.failure,
  operationId: row.operation_id as OperationId | null,
  observedAt: row.observed_at?.toISOString() ?? null,
  labels: row.labels,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

function shownCloudInit(row: VmRow): Vm['cloudInit'] {
  const { cloudInit } = shapeOfRow(row);
  if (cloudInit === null) return null;
  const { userDataId, hostname, ...shown } = cloudInit;
  return { ...shown, hostname: hostname ?? row.name, hasUserData: userDataId !== null };
}

const shapeOfRow = (row: VmRow): VmShape => ({
  vcpuCount: row.vcpu_count,
  memoryBytes: Number(row.memory_bytes),
  balloon:
    row.balloon_minimum_bytes === null
      ? null
      : { minimumBytes: Number(row.balloon_minimum_bytes), shares: row.balloon_shares },
  hardware: VmHardware.parse(row.hardware),
  cloudInit: CloudInitRecord.nullable().parse(row.cloud_init),
});

export interface VmFilter {
  readonly projectId: string | null;
  readonly hostId: string | undefined;
  readonly vmGroupId: string | undefined;
  readonly state: VmState | undefined;
  readonly name: string | undefined;
}

/**
 * VMs with their host's name and volumes in one statement. The page is cut first, from the index that fits the filter, and
 * the rest is looked up for those rows alone. Conditions are left out, not switched off by parameters: the planner would
 * have to choose one plan for all of them.
 */
export async function findVms(database: Database | Tx, filter: VmFilter, bounds: PageBounds): Promise<Vm[]> {
  const found = await database.vm.findMany({
    where: {
      deletedAt: null,
      ...(bounds.afterId === null ? {} : { id: { gt: bounds.afterId } }),
      ...(filter.projectId === null ? {} : { projectId: filter.projectId }),
      ...(filter.hostId === undefined ? {} : { hostId: filter.hostId }),
      ...(filter.vmGroupId === undefined ? {} : { vmGroupId: filter.vmGroupId }),
      ...(filter.state === undefined ? {} : { state: filter.state }),
      ...(filter.name === undefined ? {} : { name: filter.name }),
    },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
    select: { id: true },
  });
  return found.length === 0
    ? []
    : readVms(
        database,
        found.map((row) => row.id),
      );
}

/** Null: there is none, or it is deleted. */
export async function findVm(database: Database | Tx, id: string): Promise<Vm | null> {
  const [vm] = await readVms(database, [id]);
  return vm ?? null;
}

async function readVms(database: Database | Tx, ids: readonly string[]): Promise<Vm[]> {
  const rows = await database.$queryRaw<VmRow[]>`
    SELECT v.*, h.name AS host_name,
           (SELECT jsonb_agg(jsonb_build_object('id', d.id, 'role', d.role, 'sizeBytes', d.size_bytes)
                             ORDER BY d.role <> 'root', d.id)
              FROM volumes d WHERE d.vm_id = v.id AND d.deleted_at IS NULL) AS volumes,
           (SELECT jsonb_build_object('priority', w.priority, 'until', w.until, 'reason', w.reason, 'position', 1 + (
                     SELECT count(*) FROM waiting_vms b WHERE (b.priority, w.operation_id) > (w.priority, b.operation_id)))
              FROM waiting_vms w WHERE w.vm_id = v.id) AS waiting
      FROM vms v LEFT JOIN hosts h ON h.id = v.host_id
     WHERE v.id = ANY (${[...ids]}::uuid[]) AND v.deleted_at IS NULL
     ORDER BY v.id`;
  return rows.map(vmOf);
}

export interface NewVm {
  readonly vmId: VmId;
  readonly volumeId: VolumeId;
  readonly operationId: OperationId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly flavorId: string;
  readonly imageId: string;
  readonly templateId: string | null;
  /** Null: it waits for a host. */
  readonly hostId: string | null;
  readonly vmGroupId: string | null;
  readonly highAvailability: boolean;
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly localDisks: readonly {
    readonly id: string | null;
    readonly role: 'root' | 'data';
    readonly sizeBytes: number;
  }[];
  readonly hardware: VmHardware;
  readonly cloudInit: CloudInitRecord | null;
  readonly balloon: BalloonPolicy | null;
  readonly balloonShares: number;
  readonly accelerator: Accelerator | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly epoch: number;
}

/**
 * VMs with the disks in the folders of their hosts. Returns the ids of those that were written: the project of each other one has a VM of its
 * name. The operations' rows must be there already.
 */
export async function insertVms(tx: Tx, vms: readonly NewVm[]): Promise<ReadonlySet<string>> {
  const rows = vms.map(({ balloon, ...vm }) => ({ ...vm, balloonMinimumBytes: balloon?.minimumBytes ?? null }));
  const written = await tx.$queryRaw<{ vm_id: string }[]>`
    WITH wanted AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS w ("vmId" uuid, "volumeId" uuid, "operationId" uuid, "projectId" uuid, name text, "flavorId" uuid,
              "imageId" uuid, "hostId" uuid, "vcpuCount" int, "memoryBytes" bigint, hardware jsonb,
              "vmGroupId" uuid, "highAvailability" boolean, "cloudInit" jsonb,
              "balloonMinimumBytes" bigint, "balloonShares" int, accelerator text, labels jsonb, epoch bigint,
              "localDisks" jsonb, "templateId" uuid)),
    written AS (
      INSERT INTO vms (id, project_id, name, state, epoch, flavor_id, image_id, host_id, vcpu_count, memory_bytes,
                       hardware, balloon_minimum_bytes, balloon_shares, accelerator, labels, operation_id, vm_group_id,
                       is_highly_available, cloud_init, template_id)
      SELECT "vmId", "projectId", name, 'creating', epoch, "flavorId", "imageId", "hostId", "vcpuCount",
             "memoryBytes", hardware, "balloonMinimumBytes", "balloonShares", accelerator, labels, "operationId", "vmGroupId",
             "highAvailability", "cloudInit", "templateId"
        FROM wanted ORDER BY "projectId", name
      ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING
      RETURNING id),
    disks AS (
      INSERT INTO volumes (id, project_id, vm_id, host_id, role, size_bytes)
      SELECT d.id, w."projectId", written.id, w."hostId", d.role, d."sizeBytes"
        FROM written JOIN wanted w ON w."vmId" = written.id,
             LATERAL jsonb_to_recordset(w."localDisks") AS d (id uuid, role text, "sizeBytes" bigint))
    SELECT id AS vm_id FROM written`;
  return new Set(written.map((row) => row.vm_id));
}
