import type { Accelerator, Host, HostId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import type { PageBounds } from '../page-cursor.js';
import { storedFactsOf } from './hardware-shapes.js';

const WITH_WHAT_IS_ITS_OWN = {
  include: {
    // The newest one is what the host uses: renewals and new enrolments revoke those before it.
    hostCertificates: { where: { revokedAt: null }, orderBy: { expiresAt: 'desc' }, take: 1 },
    hostNetworks: { select: { faults: true } },
  },
} as const;

type HostRow = NonNullable<Awaited<ReturnType<typeof readRow>>>;
const readRow = (database: Database | Tx, id: string) =>
  database.host.findUnique({ where: { id }, ...WITH_WHAT_IS_ITS_OWN });

const hostOf = (row: HostRow): Host => ({
  id: row.id as HostId,
  name: row.name,
  state: row.state as Host['state'],
  connectivity: row.connectivity as Host['connectivity'],
  cordonReason: row.cordonReason,
  accelerator: row.accelerator as Accelerator | null,
  address: row.address,
  agentVersion: row.agentVersion,
  capacity: {
    vcpuCount: row.capacityVcpuCount,
    memoryBytes: Number(row.capacityMemoryBytes),
    diskBytes: Number(row.capacityDiskBytes),
    dedicatedCpuCount: row.capacityDedicatedCpuCount,
    hugePages2MibBytes: Number(row.capacityHugePages2MibBytes),
    hugePages1GibBytes: Number(row.capacityHugePages1GibBytes),
  },
  reserved: {
    vcpuCount: row.reservedVcpuCount,
    memoryBytes: Number(row.reservedMemoryBytes),
    diskBytes: Number(row.reservedDiskBytes),
    dedicatedCpuCount: row.reservedDedicatedCpuCount,
    hugePages2MibBytes: Number(row.reservedHugePages2MibBytes),
    hugePages1GibBytes: Number(row.reservedHugePages1GibBytes),
  },
  generation: Number(row.generation),
  facts: storedFactsOf(row.facts),
  networkFaults: (row.hostNetworks?.faults ?? []) as Host['networkFaults'],
  labels: row.labels as Record<string, string>,
  lastReportAt: row.lastReportAt?.toISOString() ?? null,
  certificateExpiresAt: row.hostCertificates[0]?.expiresAt.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
});

export async function findHost(database: Database | Tx, id: string): Promise<Host | null> {
  const row = await readRow(database, id);
  return row === null ? null : hostOf(row);
}

export async function findHosts(
  database: Database,
  filter: { state: string | undefined; connectivity: string | undefined; name: string | undefined },
  bounds: PageBounds,
): Promise<Host[]> {
  const rows = await database.host.findMany({
    where: {
      ...(bounds.afterId === null ? {} : { id: { gt: bounds.afterId } }),
      ...(filter.state === undefined ? {} : { state: filter.state }),
      ...(filter.connectivity === undefined ? {} : { connectivity: filter.connectivity }),
      ...(filter.name === undefined ? {} : { name: filter.name }),
    },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
    ...WITH_WHAT_IS_ITS_OWN,
  });
  return rows.map(hostOf);
}

/** Where a host's agent is called; null: no such host. */
export const findHostAddress = (
  database: Database,
  id: string,
): Promise<{ id: string; name: string; address: string } | null> =>
  database.host.findUnique({ where: { id }, select: { id: true, name: true, address: true } });

export const isRevoked = async (database: Database, id: string): Promise<boolean> =>
  (await database.host.count({ where: { id, state: 'revoked' } })) > 0;

/** Fingerprints of certificates the host may show now; null: the host is unknown or revoked. */
export async function findTrustedFingerprints(database: Database, hostId: string): Promise<ReadonlySet<string> | null> {
  const host = await database.host.findUnique({
    where: { id: hostId, state: { not: 'revoked' } },
    select: {
      hostCertificates: {
        where: { revokedAt: null, expiresAt: { gt: new Date() } },
        select: { fingerprintSha256: true },
      },
    },
  });
  return host === null ? null : new Set(host.hostCertificates.map((certificate) => certificate.fingerprintSha256));
}

/**
 * Moves the host between states that an admin decides about. False: it is in none of `from`, or `ifMatch` is not its
 * generation.
 */
export async function moveHost(
  tx: Tx,
  id: string,
  move: { from: readonly Host['state'][]; to: Host['state']; cordonReason: string | null; ifMatch: number | undefined },
): Promise<boolean> {
  const { count } = await tx.host.updateMany({
    where: {
      id,
      state: { in: [...move.from] },
      ...(move.ifMatch === undefined ? {} : { generation: move.ifMatch }),
    },
    data: { state: move.to, cordonReason: move.cordonReason, generation: { increment: 1 } },
  });
  return count === 1;
}

export async function revokeCertificates(tx: Tx, hostId: string, reason: string, now: Date): Promise<void> {
  await tx.hostCertificate.updateMany({
    where: { hostId, revokedAt: null },
    data: { revokedAt: now, revokedReason: reason },
  });
}

/** The host a certificate is of, if both are good now. */
export async function findHostOfCertificate(database: Database, fingerprintSha256: string): Promise<string | null> {
  const certificate = await database.hostCertificate.findUnique({
    where: {
      fingerprintSha256,
      revokedAt: null,
      expiresAt: { gt: new Date() },
      host: { state: { not: 'revoked' } },
    },
    select: { hostId: true },
  });
  return certificate?.hostId ?? null;
}
