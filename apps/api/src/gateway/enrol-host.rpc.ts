import type { handleUnaryCall } from '@grpc/grpc-js';
import { redeemEnrolment, toUnavailable } from '@kvorum/control-plane';
import { DomainError, ResourceName, toDomainError } from '@kvorum/schema';
import { type EnrolHostRequest, type EnrolHostResponse, toServiceError } from '@kvorum/schema/agent-wire';
import { isAddress } from './check-report.js';
import type { GatewayDeps } from './gateway-deps.js';

const JOIN_SECRET_LENGTH_MAX = 256;
/** A request with a P-256 key has about 400 characters, one with an RSA key of 4096 bits about 1700. */
const CSR_LENGTH_MAX = 8192;
/** Codes with which a wrong, used or expired secret is refused. */
const WRONG_SECRET_CODES: ReadonlySet<string> = new Set([
  'unauthenticated',
  'forbidden',
  'not_found',
  'host_not_trusted',
  'conflict_state',
]);

/** A host with a join secret becomes one of ours: its key is certified. Wrong secrets are counted by address. */
export const enrolHostRpc =
  (deps: GatewayDeps): handleUnaryCall<EnrolHostRequest, EnrolHostResponse> =>
  (call, answer) => {
    enrol(deps, call.request, addressOf(call.getPeer())).then(
      (response) => answer(null, response),
      (thrown: unknown) => {
        const error = toDomainError(toUnavailable(thrown));
        deps.cp.log.warn({ err: thrown, peer: call.getPeer(), code: error.code }, 'refused to enrol a host');
        answer(toServiceError(error));
      },
    );
  };

async function enrol(deps: GatewayDeps, request: EnrolHostRequest, sender: string): Promise<EnrolHostResponse> {
  const waitMs = deps.joinAttempts.waitMs(sender, Date.now());
  if (waitMs > 0) {
    throw new DomainError('rate_limited', 'too many wrong join secrets came from this address', {
      details: { retryAfterSeconds: Math.ceil(waitMs / 1000) },
    });
  }
  refuseIf(request.joinSecret.length > JOIN_SECRET_LENGTH_MAX, 'joinSecret', 'is too long');
  refuseIf(!ResourceName.safeParse(request.hostName).success, 'hostName', 'must be a DNS label');
  refuseIf(request.csrPem.length > CSR_LENGTH_MAX, 'csrPem', `is longer than ${CSR_LENGTH_MAX} characters`);
  refuseIf(!isAddress(request.address), 'address', 'must be host:port');
  try {
    return await redeemEnrolment(deps.cp, request);
  } catch (error) {
    if (error instanceof DomainError && WRONG_SECRET_CODES.has(error.code)) {
      deps.joinAttempts.recordFailure(sender, Date.now());
    }
    throw error;
  }
}

function refuseIf(isWrong: boolean, field: string, message: string): void {
  if (!isWrong) return;
  throw new DomainError('invalid_request', `${field}: ${message}`, { details: { fields: [{ field, message }] } });
}

/** `getPeer()` is host:port; guesses are counted by host. */
const addressOf = (peer: string): string => peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
