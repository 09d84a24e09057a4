import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import { DomainError, toDomainError } from '@kvorum/schema';
import { type EnrolHostResponse, EnrolmentClient, fromServiceError } from '@kvorum/schema/agent-wire';
import { backoffMs } from '../backoff.js';
import { grpcTarget, type HostPort } from '../config.js';
import type { Log } from '../log.js';
import { siteChannelOptions, siteCredentials } from '../trust/site-channel.js';
import { siteOfControlPlane } from '../trust/spiffe.js';
import { fetchSiteCa } from './fetch-site-ca.js';
import { ensureHostKey } from './host-key.js';
import { checkIdentity, type Identity, IdentityFile, saveIdentity } from './identity.js';
import type { JoinToken } from './join-token.js';

const ENROL_TIMEOUT_MS = 15_000;
const RETRY_DELAY_MS_MIN = 200;
const RETRY_DELAY_MS_MAX = 10_000;

export interface Enrolling {
  readonly folder: string;
  readonly token: JoinToken;
  readonly enrolAddress: HostPort;
  readonly hostName: string;
  /** Where the control plane will reach this agent. */
  readonly agentAddress: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Redeems the join token for an identity and saves it. Tries again while the control plane cannot be reached, as hosts
 * and control plane of a site are often switched on together; every other refusal is final.
 */
export async function enrolHost(enrolling: Enrolling): Promise<Identity> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await enrolOnce(enrolling);
    } catch (thrown) {
      const error = toDomainError(thrown);
      const isWorthRetrying = error.code === 'host_unreachable' || error.code === 'unavailable';
      if (!isWorthRetrying || enrolling.signal.aborted) throw thrown;
      const delayMs = backoffMs(attempt, RETRY_DELAY_MS_MIN, RETRY_DELAY_MS_MAX);
      enrolling.log.warn({ reason: error.message, delayMs }, 'cannot enrol yet; trying again');
      await sleep(delayMs, undefined, { signal: enrolling.signal }).catch(() => undefined);
    }
  }
}

async function enrolOnce(enrolling: Enrolling): Promise<Identity> {
  const { folder, token, hostName } = enrolling;
  const caCertificatePem = await fetchSiteCa(enrolling.enrolAddress, token.caFingerprintSha256);
  const { keyPem, csrPem } = await ensureHostKey(folder, hostName);
  const answer = await redeem(enrolling, caCertificatePem, csrPem);
  const identity = identityOf(answer, hostName, keyPem);
  await checkIdentity(identity, token.caFingerprintSha256);
  await saveIdentity(folder, identity);
  return identity;
}

function redeem(enrolling: Enrolling, caCertificatePem: string, csrPem: string): Promise<EnrolHostResponse> {
  const client = new EnrolmentClient(
    grpcTarget(enrolling.enrolAddress),
    // The site's id is not known before; that of the answer is compared with the certificate by checkIdentity.
    siteCredentials({ caCertificatePem, isControlPlane: (spiffeId) => siteOfControlPlane(spiffeId) !== null }),
    siteChannelOptions,
  );
  return new Promise<EnrolHostResponse>((resolve, reject) => {
    client.enrolHost(
      {
        joinSecret: enrolling.token.secret,
        hostName: enrolling.hostName,
        csrPem,
        address: enrolling.agentAddress,
      },
      new Metadata(),
      { deadline: Date.now() + ENROL_TIMEOUT_MS },
      (error, answer) => (error === null ? resolve(answer) : reject(fromServiceError(error))),
    );
  }).finally(() => client.close());
}

function identityOf(answer: EnrolHostResponse, name: string, keyPem: string): Identity {
  const parsed = IdentityFile.safeParse({
    hostId: answer.hostId,
    siteId: answer.siteId,
    name,
    certificatePem: answer.certificatePem,
    caCertificatePem: answer.caCertificatePem,
    gatewayAddress: answer.gatewayAddress,
  });
  if (!parsed.success) {
    throw new DomainError('host_not_trusted', 'the control plane answered with an incomplete identity', {
      cause: parsed.error,
    });
  }
  return { ...parsed.data, keyPem };
}
