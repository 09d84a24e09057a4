import { createHash } from 'node:crypto';
import { DomainError, ResourceName } from '@kvorum/schema';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { hashJoinSecret } from './create-enrolment.js';
import { ensureHostRow, findRedeemed, isSecretKnown, recordCertificate, takeEnrolment } from './enrolment.store.js';
import { revokeCertificates } from './host.store.js';
import { HostAddress } from './host-address.js';

/** What an unknown host sends: hostile until its secret has matched. */
const RedeemRequest = z.object({
  joinSecret: z.string().regex(/^[A-Za-z0-9_-]{43}$/, { error: 'must be the secret of a join token' }),
  hostName: ResourceName,
  csrPem: z.string(),
  address: HostAddress,
});

export interface RedeemedEnrolment {
  readonly hostId: string;
  readonly siteId: string;
  readonly certificatePem: string;
  readonly caCertificatePem: string;
  readonly gatewayAddress: string;
}

/**
 * Takes a host into the site: its certificate request is signed and the enrolment is used up, in one transaction. The same
 * request again (the answer was lost) gets the same certificate; any other gets nothing. Throws unauthenticated for a
 * secret that is unknown, expired, used or for another name, without saying which, and invalid_request for a bad request.
 */
export async function redeemEnrolment(
  cp: ControlPlane,
  request: z.input<typeof RedeemRequest>,
): Promise<RedeemedEnrolment> {
  const parsed = RedeemRequest.safeParse(request);
  if (!parsed.success) throw invalid(parsed.error);
  const { joinSecret, hostName, csrPem, address } = parsed.data;
  const proof = {
    secretSha256: hashJoinSecret(joinSecret),
    hostName,
    csrSha256: createHash('sha256').update(csrPem).digest(),
    now: cp.clock(),
  };
  if (!(await isSecretKnown(cp.database, proof.secretSha256))) throw refused();
  const { hostId, certificatePem } = await withTransaction(cp.database, async (tx) => {
    const enrolment = await takeEnrolment(tx, proof);
    if (enrolment === null) {
      const before = await findRedeemed(tx, proof);
      if (before === null) throw refused();
      return before;
    }
    return admit(tx, cp, enrolment, { csrPem, address });
  });
  return {
    hostId,
    siteId: cp.siteId,
    certificatePem,
    caCertificatePem: cp.authority.caCertificatePem,
    gatewayAddress: cp.gatewayAddress,
  };
}

async function admit(
  tx: Tx,
  cp: ControlPlane,
  enrolment: { id: string; hostName: string; labels: Readonly<Record<string, string>> },
  request: { csrPem: string; address: string },
): Promise<{ hostId: string; certificatePem: string }> {
  const now = cp.clock();
  const { hostName, labels } = enrolment;
  const host = await ensureHostRow(tx, { name: hostName, address: request.address, labels, now });
  // The host has a new key: whoever holds an older one is not it.
  await revokeCertificates(tx, host.id, 'the host enrolled anew', now);
  const certificate = await cp.authority.signHostRequest(host.id, request.csrPem);
  await recordCertificate(tx, enrolment.id, host.id, certificate, now);
  await recordEvent(tx, {
    type: 'host.enrolled',
    projectId: null,
    resourceKind: 'host',
    resourceId: host.id,
    data: { name: hostName, isNew: host.isNew, fingerprintSha256: certificate.fingerprintSha256 },
  });
  return { hostId: host.id, certificatePem: certificate.certificatePem };
}

const refused = (): DomainError =>
  new DomainError('unauthenticated', 'the join token is unknown, expired, used, or for another host name');

function invalid(error: z.ZodError): DomainError {
  const fields = error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message }));
  return new DomainError('invalid_request', `the enrolment is not valid: ${fields[0]?.field} ${fields[0]?.message}`, {
    details: { fields },
  });
}
