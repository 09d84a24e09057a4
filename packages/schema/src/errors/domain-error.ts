import { ERROR_CATALOGUE, type ErrorCode } from './error-catalogue.js';

/** Where a request is wrong: a JSON pointer's segments joined by ".", such as `body.vcpuCount`. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface ErrorDetails {
  readonly fields?: readonly FieldError[];
  /** Further facts, safe to show: numbers, ids, counts per reason. */
  readonly [key: string]: unknown;
}

/** An operating failure with a code of the catalogue. `message` and `details` are shown to callers, `cause` never is. */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get httpStatus(): number {
    return ERROR_CATALOGUE[this.code].http;
  }
}

/** Turns anything thrown into a DomainError; what is not one is a bug, and its text is not shown. */
export function toDomainError(thrown: unknown): DomainError {
  if (thrown instanceof DomainError) return thrown;
  return new DomainError('bug', 'an unexpected error happened; it has been logged', { cause: thrown });
}

/** The form in which an error is stored with an operation and sent over REST. */
export interface StoredError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

export const toStoredError = (error: DomainError): StoredError => ({
  code: error.code,
  message: error.message,
  details: error.details,
});
