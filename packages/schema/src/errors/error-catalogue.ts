/**
 * Every error code of Kvorum, once. REST, gRPC, the operation runner, the CLI and docs/errors.md are derived from here.
 *
 * `runner` says what the operation runner does when a step fails with the code:
 *   retry   the same step, on the same host, with backoff, until the operation's deadline
 *   unwind  undo what was done and fail the operation
 *   stop    write nothing more: a newer owner or intent has taken over
 *   stuck   park the operation for a person: going on or back could do harm
 */
export interface ErrorRow {
  readonly http: number;
  /** Name of the gRPC status (google.rpc.Code). */
  readonly grpc: GrpcStatusName;
  readonly runner: 'retry' | 'unwind' | 'stop' | 'stuck';
  /** Who has to act, and how. Shown in docs and by the CLI. */
  readonly remedy: string;
}

export type GrpcStatusName =
  | 'INVALID_ARGUMENT'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'RESOURCE_EXHAUSTED'
  | 'UNAVAILABLE'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'DATA_LOSS'
  | 'INTERNAL';

const row = (http: number, grpc: GrpcStatusName, runner: ErrorRow['runner'], remedy: string): ErrorRow => ({
  http,
  grpc,
  runner,
  remedy,
});

export const ERROR_CATALOGUE = {
  invalid_request: row(400, 'INVALID_ARGUMENT', 'unwind', 'Correct the named field and send the request again.'),
  unauthenticated: row(401, 'UNAUTHENTICATED', 'unwind', 'Send a valid API token: `Authorization: Bearer …`.'),
  forbidden: row(
    403,
    'PERMISSION_DENIED',
    'unwind',
    'Use a token whose role and project allow this, or have the operator allow what the message names.',
  ),
  not_found: row(404, 'NOT_FOUND', 'unwind', 'Check the id; it may be gone, or belong to another project.'),
  method_not_allowed: row(405, 'INVALID_ARGUMENT', 'unwind', 'Use one of the methods that the Allow header names.'),
  already_exists: row(409, 'ALREADY_EXISTS', 'unwind', 'Choose another name, or use the object that is there.'),
  conflict_state: row(
    409,
    'FAILED_PRECONDITION',
    'unwind',
    'Wait for the state named in the message, or change it first.',
  ),
  idempotency_conflict: row(409, 'FAILED_PRECONDITION', 'unwind', 'Use a new Idempotency-Key for a different request.'),
  in_use: row(409, 'FAILED_PRECONDITION', 'unwind', 'Remove what uses the object first; the message names it.'),
  precondition_failed: row(
    412,
    'FAILED_PRECONDITION',
    'unwind',
    'Read the object again and send its new ETag in If-Match.',
  ),
  payload_too_large: row(413, 'INVALID_ARGUMENT', 'unwind', 'Send less; the message names the bound.'),
  unsupported_media_type: row(415, 'INVALID_ARGUMENT', 'unwind', 'Send the content type that the route documents.'),
  image_invalid: row(
    422,
    'INVALID_ARGUMENT',
    'unwind',
    'Provide a self-contained disk image; the message names what is wrong.',
  ),
  checksum_mismatch: row(422, 'INVALID_ARGUMENT', 'unwind', 'Send the file again, or correct the checksum.'),
  quota_exceeded: row(422, 'RESOURCE_EXHAUSTED', 'unwind', 'Delete something, or ask an admin for a larger quota.'),
  rate_limited: row(429, 'RESOURCE_EXHAUSTED', 'retry', 'Slow down; Retry-After says for how long.'),
  stale_generation: row(409, 'ABORTED', 'stop', 'A newer intent has taken over; nothing to do.'),
  cancelled: row(409, 'CANCELLED', 'unwind', 'The operation was cancelled; start it again if it is still wanted.'),
  no_capacity: row(
    507,
    'RESOURCE_EXHAUSTED',
    'unwind',
    'Add or uncordon hosts, or ask for less; the message counts the reasons.',
  ),
  host_unreachable: row(
    503,
    'UNAVAILABLE',
    'retry',
    'Check the host and its agent; the operation goes on when it answers.',
  ),
  host_fault: row(502, 'INTERNAL', 'unwind', 'Look at the host: its agent could not do what was asked.'),
  host_not_trusted: row(403, 'PERMISSION_DENIED', 'unwind', 'Enrol the host again with a fresh enrolment token.'),
  guest_fault: row(502, 'INTERNAL', 'unwind', 'Look at the console of the VM: the hypervisor process ended.'),
  guest_agent_failed: row(
    502,
    'FAILED_PRECONDITION',
    'unwind',
    'Look inside the guest: its QEMU guest agent refused, answered nonsense, or does not run.',
  ),
  deadline_exceeded: row(
    504,
    'DEADLINE_EXCEEDED',
    'unwind',
    'The time limit passed; look at the operation for the step that took it.',
  ),
  unavailable: row(503, 'UNAVAILABLE', 'retry', 'Try again shortly; a part of the control plane is not reachable.'),
  bug: row(500, 'INTERNAL', 'stuck', 'Report it with the operation or request id; the operation waits for a person.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
export const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as [ErrorCode, ...ErrorCode[]];
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CATALOGUE, code);
