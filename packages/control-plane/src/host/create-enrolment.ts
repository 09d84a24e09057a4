import { createHash, randomBytes } from 'node:crypto';
import { type CreateEnrolmentRequest, type Enrolment, type EnrolmentId, newId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { requireWholeSite } from '../token/project-scope.js';
import { insertEnrolment } from './enrolment.store.js';

/** 256 bits: beyond guessing within any life time of a token. */
const SECRET_BYTES = 32;

export const hashJoinSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/**
 * A join token for one host: `kvj1.<fingerprint of the site's CA>.<secret>`. The fingerprint lets the host know the site
 * before it trusts anything; the secret lets the site know the host. Only the secret's hash is kept.
 */
export async function createEnrolment(
  cp: ControlPlane,
  actor: Actor,
  request: CreateEnrolmentRequest,
): Promise<Enrolment> {
  requireWholeSite(actor);
  const id = newId<EnrolmentId>();
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  const now = cp.clock();
  const expiresAt = new Date(now.getTime() + request.validForSeconds * 1000);
  await withTransaction(cp.database, async (tx) => {
    const { hostName, labels } = request;
    const secretSha256 = hashJoinSecret(secret);
    await insertEnrolment(tx, { id, hostName, labels, secretSha256, expiresAt, createdBy: actor.tokenName, now });
    await recordEvent(tx, {
      type: 'host.enrolment',
      projectId: null,
      resourceKind: 'enrolment',
      resourceId: id,
      data: { hostName, expiresAt: expiresAt.toISOString(), by: actor.tokenName },
    });
  });
  return {
    id,
    hostName: request.hostName,
    joinToken: `kvj1.${cp.authority.caFingerprintSha256}.${secret}`,
    expiresAt: expiresAt.toISOString(),
    agentCommand: agentCommand(cp.enrolAddress, request.hostName),
  };
}

/** The token goes into a file: a command line can be read by every user of the host (proc(5), /proc/pid/cmdline). */
const agentCommand = (enrolAddress: string, hostName: string): string =>
  `(umask 077 && cat > join-token)  # paste the join token, then Ctrl-D
node apps/node-agent/dist/main.js --state-dir /var/lib/kvorum-agent --join-file join-token --enrol-address ${enrolAddress} --name ${hostName}`;
