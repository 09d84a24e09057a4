import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { DomainError, type ErrorDetails, toDomainError } from './errors/domain-error.js';
import { ERROR_CATALOGUE, isErrorCode } from './errors/error-catalogue.js';

/** Trailer in which an error's code and details travel; programs read this, never the text. */
const ERROR_TRAILER = 'kvorum-error-bin';
/** Half of HTTP/2's usual 16 KiB header bound; details over it are left out, the code never is. */
const TRAILER_BYTES_MAX = 8192;

/** A DomainError as a gRPC status with its code and details in a trailer. */
export function toServiceError(thrown: unknown): Partial<ServiceError> {
  const error = toDomainError(thrown);
  const metadata = new Metadata();
  const full = Buffer.from(JSON.stringify({ code: error.code, details: error.details }));
  metadata.set(
    ERROR_TRAILER,
    full.byteLength <= TRAILER_BYTES_MAX ? full : Buffer.from(JSON.stringify({ code: error.code, details: {} })),
  );
  return { code: status[ERROR_CATALOGUE[error.code].grpc], details: error.message.slice(0, 1024), metadata };
}

/**
 * A gRPC failure as a DomainError. Without our trailer the peer never answered as Kvorum: the outcome is unknown, and
 * the code says so.
 */
export function fromServiceError(error: ServiceError): DomainError {
  const trailer = error.metadata?.get(ERROR_TRAILER)[0];
  if (trailer !== undefined) {
    try {
      const parsed = JSON.parse(trailer.toString()) as { code?: unknown; details?: unknown };
      if (typeof parsed.code === 'string' && isErrorCode(parsed.code)) {
        return new DomainError(parsed.code, error.details, {
          details: (parsed.details ?? {}) as ErrorDetails,
          cause: error,
        });
      }
    } catch {
      // An unreadable trailer is treated like none.
    }
  }
  if (error.code === status.DEADLINE_EXCEEDED) {
    return new DomainError('host_unreachable', 'the peer did not answer within its time limit', { cause: error });
  }
  if (error.code === status.UNAVAILABLE || error.code === status.CANCELLED) {
    return new DomainError('host_unreachable', 'the peer cannot be reached', { cause: error });
  }
  if (error.code === status.UNAUTHENTICATED || error.code === status.PERMISSION_DENIED) {
    return new DomainError('host_not_trusted', 'the peer refused our certificate', { cause: error });
  }
  return new DomainError('host_fault', 'the peer failed without saying why', { cause: error });
}
