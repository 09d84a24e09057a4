import { DomainError } from '@kvorum/schema';

/** PostgreSQL's own word for "try the whole transaction again" (appendix A of its manual). */
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';
/** Prisma's name for both of them. */
const PRISMA_WRITE_CONFLICT = 'P2034';

/** Class 08: connection exceptions; 57P01 to 57P03: shutdown, crash, starting up; 53300: too many connections. */
const UNAVAILABLE_SQLSTATE = /^(08...|57P0[1-3]|53300)$/;
/** Prisma: cannot reach, timed out connecting, timed out, connection closed, no free connection in time, no transaction in time. */
const UNAVAILABLE_PRISMA_CODES = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028']);
const UNAVAILABLE_ERRNOS = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ETIMEDOUT', 'EHOSTUNREACH']);
/** What pg throws without any code when its socket ends. */
const UNAVAILABLE_MESSAGE =
  /connection terminated|client has encountered a connection error|server closed the connection|timeout exceeded when trying to connect/i;
/** Prisma kinds of driver errors that mean the same. */
const UNAVAILABLE_DRIVER_KINDS = new Set([
  'ConnectionClosed',
  'DatabaseNotReachable',
  'SocketTimeout',
  'TooManyConnections',
]);

/** Errors come wrapped: by Prisma (`cause`, `meta.driverAdapterError`), by its driver (`originalCode`), by Node (`errors`). */
const WRAPPER_DEPTH_MAX = 8;

function* chainOf(thrown: unknown, depth = 0): Generator<Record<string, unknown>> {
  if (typeof thrown !== 'object' || thrown === null || depth > WRAPPER_DEPTH_MAX) return;
  const error = thrown as Record<string, unknown>;
  yield error;
  yield* chainOf(error['cause'], depth + 1);
  const meta = error['meta'];
  if (typeof meta === 'object' && meta !== null) {
    yield* chainOf(meta, depth + 1);
    yield* chainOf((meta as Record<string, unknown>)['driverAdapterError'], depth + 1);
  }
  if (Array.isArray(error['errors'])) for (const inner of error['errors']) yield* chainOf(inner, depth + 1);
}

const codesOf = (error: Record<string, unknown>): string[] =>
  [error['code'], error['originalCode'], error['sqlState']].filter((code) => typeof code === 'string');

/** True: nothing of the transaction happened, and the same again may well succeed. */
export function isTransactionConflict(thrown: unknown): boolean {
  for (const error of chainOf(thrown)) {
    const codes = codesOf(error);
    if (codes.includes(SERIALIZATION_FAILURE) || codes.includes(DEADLOCK_DETECTED)) return true;
    if (codes.includes(PRISMA_WRITE_CONFLICT) || error['kind'] === 'TransactionWriteConflict') return true;
  }
  return false;
}

/** True: PostgreSQL cannot be reached, or went away meanwhile; whether a COMMIT under way took effect is not known. */
export function isDatabaseUnavailable(thrown: unknown): boolean {
  for (const error of chainOf(thrown)) {
    for (const code of codesOf(error)) {
      if (UNAVAILABLE_SQLSTATE.test(code) || UNAVAILABLE_PRISMA_CODES.has(code) || UNAVAILABLE_ERRNOS.has(code)) {
        return true;
      }
    }
    if (typeof error['kind'] === 'string' && UNAVAILABLE_DRIVER_KINDS.has(error['kind'])) return true;
    if (typeof error['message'] === 'string' && UNAVAILABLE_MESSAGE.test(error['message'])) return true;
  }
  return false;
}

/** An unreachable database is an operating failure with a code of its own; anything else stays what it is. */
export const toUnavailable = (thrown: unknown): unknown =>
  !(thrown instanceof DomainError) && isDatabaseUnavailable(thrown)
    ? new DomainError('unavailable', 'the database cannot be reached', { cause: thrown })
    : thrown;
