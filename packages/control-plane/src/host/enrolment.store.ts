import { newId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';

export interface NewEnrolment {
  readonly id: string;
  readonly hostName: string;
  readonly secretSha256: Buffer;
  readonly labels: Readonly<Record<string, string>>;
  readonly expiresAt: Date;
  readonly createdBy: string;
  readonly now: Date;
}

export async function insertEnrolment(tx: Tx, enrolment: NewEnrolment): Promise<void> {
  await tx.hostEnrolment.create({
    data: {
      id: enrolment.id,
      hostName: enrolment.hostName,
      secretSha256: Uint8Array.from(enrolment.secretSha256),
      labels: { ...enrolment.labels },
      expiresAt: enrolment.expiresAt,
      createdBy: enrolment.createdBy,
      createdAt: enrolment.now,
    },
  });
}

export interface RedeemableEnrolment {
  readonly id: string;
  readonly hostName: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Uses an enrolment up, for this request alone. One conditional statement: of two hosts that show the same secret, one
 * gets it. Null: unknown, expired, for another name, or used already.
 */
export async function takeEnrolment(
  tx: Tx,
  proof: { secretSha256: Buffer; hostName: string; csrSha256: Buffer; now: Date },
): Promise<RedeemableEnrolment | null> {
  const [row] = await tx.$queryRaw<{ id: string; host_name: string; labels: Record<string, string> }[]>`
    UPDATE host_enrolments
       SET used_at = ${proof.now}::timestamptz, csr_sha256 = ${proof.csrSha256}
     WHERE secret_sha256 = ${proof.secretSha256} AND host_name = ${proof.hostName}
       AND used_at IS NULL AND expires_at > ${proof.now}::timestamptz
    RETURNING id, host_name, labels`;
  return row === undefined ? null : { id: row.id, hostName: row.host_name, labels: row.labels };
}

/** What an enrolment gave out to the very same request before: the answer to an agent that lost it. */
export async function findRedeemed(
  database: Database | Tx,
  proof: { secretSha256: Buffer; hostName: string; csrSha256: Buffer },
): Promise<{ hostId: string; certificatePem: string } | null> {
  const row = await database.hostEnrolment.findUnique({
    where: {
      secretSha256: Uint8Array.from(proof.secretSha256),
      hostName: proof.hostName,
      csrSha256: Uint8Array.from(proof.csrSha256),
    },
    select: { hostId: true, certificatePem: true },
  });
  return row?.hostId && row.certificatePem ? { hostId: row.hostId, certificatePem: row.certificatePem } : null;
}

/** A cheap look before any signature is computed: is there such a secret at all? */
export async function isSecretKnown(database: Database, secretSha256: Buffer): Promise<boolean> {
  const count = await database.hostEnrolment.count({ where: { secretSha256: Uint8Array.from(secretSha256) } });
  return count > 0;
}

/**
 * The host of that name, made or taken up again. An agent that enrols anew begins its report generations anew, so the ones
 * we remember are forgotten, or its reports would be ignored as old ones.
 */
export async function ensureHostRow(
  tx: Tx,
  host: { name: string; address: string; labels: Readonly<Record<string, string>>; now: Date },
): Promise<{ id: string; isNew: boolean }> {
  const [row] = await tx.$queryRaw<{ id: string; is_new: boolean }[]>`
    INSERT INTO hosts (id, name, address, labels, created_at)
    VALUES (${newId()}::uuid, ${host.name}, ${host.address}, ${JSON.stringify(host.labels)}::jsonb,
            ${host.now}::timestamptz)
    ON CONFLICT (name) DO UPDATE
       SET address = excluded.address, labels = excluded.labels, report_generation = 0,
           generation = hosts.generation + 1,
           state = CASE WHEN hosts.state = 'revoked' THEN 'active' ELSE hosts.state END
    -- xmax is 0 on a row version that was inserted and not updated (PostgreSQL manual, 5.6 System Columns).
    RETURNING id, xmax = 0 AS is_new`;
  if (row === undefined) throw new TypeError('INSERT … ON CONFLICT DO UPDATE returns its row');
  if (!row.is_new) {
    await tx.$executeRaw`
      UPDATE vms SET report_generation = 0 WHERE host_id = ${row.id}::uuid AND deleted_at IS NULL`;
  }
  return { id: row.id, isNew: row.is_new };
}

export interface NewCertificate {
  readonly fingerprintSha256: string;
  readonly serial: string;
  readonly certificatePem: string;
  readonly expiresAt: Date;
}

export async function recordCertificate(
  tx: Tx,
  enrolmentId: string,
  hostId: string,
  certificate: NewCertificate,
  now: Date,
): Promise<void> {
  await tx.hostCertificate.create({
    data: {
      fingerprintSha256: certificate.fingerprintSha256,
      hostId,
      serial: certificate.serial,
      issuedAt: now,
      expiresAt: certificate.expiresAt,
    },
  });
  await tx.hostEnrolment.update({
    where: { id: enrolmentId },
    data: { hostId, certificatePem: certificate.certificatePem },
  });
}
