import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import { release } from '../host/reservation.store.js';
import type { NeededImage } from './media-of-drives.js';

export interface VolumeOfVm {
  readonly volumeId: string;
  readonly sizeBytes: number;
  readonly role: string;
}

export async function findVolumesOfVm(tx: Tx, vmId: string): Promise<VolumeOfVm[]> {
  const rows = await tx.$queryRaw<{ id: string; size_bytes: bigint; role: string }[]>`
    SELECT id, size_bytes, role FROM volumes WHERE vm_id = ${vmId}::uuid AND deleted_at IS NULL ORDER BY id`;
  return rows.map(({ id, size_bytes, role }) => ({ volumeId: id, sizeBytes: Number(size_bytes), role }));
}

export async function hasPooledVolumes(database: Database | Tx, vmId: string): Promise<boolean> {
  const rows = await database.$queryRaw<unknown[]>`
    SELECT 1 FROM volumes WHERE vm_id = ${vmId}::uuid AND pool_id IS NOT NULL AND deleted_at IS NULL LIMIT 1`;
  return rows.length > 0;
}

/** As a host is asked to have them; also those that were deleted since, as hosts may have them. */
export async function findNeededImages(tx: Tx, imageIds: readonly string[]): Promise<NeededImage[]> {
  const rows = await tx.$queryRaw<{ id: string; sha256: string; size_bytes: bigint }[]>`
    SELECT id, sha256, size_bytes FROM images
     WHERE id = ANY (${[...imageIds]}::uuid[]) AND sha256 IS NOT NULL AND size_bytes IS NOT NULL ORDER BY id`;
  return rows.map(({ id, sha256, size_bytes }) => ({ imageId: id, sha256, sizeBytes: Number(size_bytes) }));
}

/** Looked at on either side of the host in the order of ids; each host has some VMs of an image. */
const ROWS_LOOKED_AT_MAX = 100;

/**
 * Hosts that have VMs of an image, and so its content: those after the one that needs it in the order of ids, so that not all ask
 * the same. None if it has such VMs itself: then it need not ask anybody, and if it must after all, the control plane.
 */
export async function findHostsWithImage(
  database: Database,
  imageId: string,
  neederId: string,
  countMax: number,
): Promise<string[]> {
  const made = Prisma.sql`
    SELECT host_id FROM vms
     WHERE image_id = ${imageId}::uuid AND deleted_at IS NULL AND state NOT IN ('creating', 'failed')`;
  const rows = await database.$queryRaw<{ host_id: string }[]>`
    WITH near AS (
      (${made} AND host_id > ${neederId}::uuid ORDER BY host_id LIMIT ${ROWS_LOOKED_AT_MAX}::int)
      UNION ALL
      (${made} AND host_id < ${neederId}::uuid ORDER BY host_id LIMIT ${ROWS_LOOKED_AT_MAX}::int))
    SELECT h.id AS host_id FROM hosts h
     WHERE h.id IN (SELECT host_id FROM near) AND h.state <> 'revoked' AND h.connectivity = 'connected'
       AND NOT EXISTS (${made} AND host_id = ${neederId}::uuid)
     ORDER BY h.id > ${neederId}::uuid DESC, h.id LIMIT ${countMax}::int`;
  return rows.map(({ host_id }) => host_id);
}

/**
 * The VM lives on another host: what it held on the first is given back, and what it held on the second becomes its place. What
 * was observed of it is forgotten, the number of the report too: each host counts its own. Locks hosts, then the VM.
 */
export async function writeMovedVm(tx: Tx, vmId: string, hostId: string): Promise<void> {
  await release(tx, vmId, 'run');
  const count = await tx.$executeRaw`
    UPDATE reservations SET purpose = 'run'
     WHERE vm_id = ${vmId}::uuid AND host_id = ${hostId}::uuid AND purpose = 'move'`;
  if (count !== 1) throw new TypeError(`VM ${vmId} that was moved holds room on its new host`);
  await tx.$executeRaw`
    UPDATE vms
       SET host_id = ${hostId}::uuid, report_generation = 0, observed_power = NULL, observed_epoch = 0, observed_at = NULL,
           conditions = '[]', runs_on = NULL, guest_agent = 'unknown', guest_agent_answered_at = NULL,
           guest_interfaces = NULL, balloon_bytes = NULL, balloon_status = NULL, working_set_bytes = NULL
     WHERE id = ${vmId}::uuid`;
  await tx.$executeRaw`
    UPDATE volumes SET host_id = ${hostId}::uuid WHERE vm_id = ${vmId}::uuid AND deleted_at IS NULL`;
}
