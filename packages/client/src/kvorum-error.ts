/** Codes of failures that no answer of the control plane carries. */
type ClientErrorCode =
  /** No answer came: wrong address, no network, or the control plane is down. What was asked may have happened. */
  | 'unreachable'
  /** The answer is not one of Kvorum's; something else listens there. */
  | 'unexpected_answer'
  /** An operation waits for a person. */
  | 'operation_stuck';

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

export interface KvorumErrorFacts {
  /** Stable, meant for programs: one of ours, or a code of the error catalogue; the server may know newer ones. */
  readonly code: ClientErrorCode | (string & {});
  /** HTTP status of the answer; null if there was none. */
  readonly status: number | null;
  /** What went wrong, for people. */
  readonly detail: string;
  /** Who has to act, and how; empty if nobody said. */
  readonly remedy: string;
  /** Which fields of the request are wrong. */
  readonly errors?: readonly FieldProblem[];
  /** Further facts: numbers, ids, counts per reason. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What the control plane's log calls the request. */
  readonly requestId?: string | null;
  readonly cause?: unknown;
}

/** Every failure of the client is one of these, save an abort by the caller, which is the caller's own reason. */
export class KvorumError extends Error {
  override readonly name = 'KvorumError';
  readonly code: string;
  readonly status: number | null;
  readonly detail: string;
  readonly remedy: string;
  readonly errors: readonly FieldProblem[];
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string | null;

  constructor(facts: KvorumErrorFacts) {
    super(`${facts.code}: ${facts.detail}`, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.status = facts.status;
    this.detail = facts.detail;
    this.remedy = facts.remedy;
    this.errors = facts.errors ?? [];
    this.details = facts.details ?? {};
    this.requestId = facts.requestId ?? null;
  }
}

/** The failure an answer that is not 2xx stands for. */
export async function errorOfAnswer(response: Response): Promise<KvorumError> {
  const text = await response.text().catch(() => '');
  const problem = parseProblem(text);
  if (problem !== null) return new KvorumError({ ...problem, status: response.status });
  return new KvorumError({
    code: 'unexpected_answer',
    status: response.status,
    detail: `${response.url} answered ${response.status} without a problem document`,
    remedy: 'Check the address: this does not look like a Kvorum control plane, or a proxy stands before it.',
  });
}

/** A request that got no answer at all. */
export const unreachable = (url: string, cause: unknown): KvorumError =>
  new KvorumError({
    code: 'unreachable',
    status: null,
    detail: `no answer from ${new URL(url).origin}: ${reasonOf(cause)}`,
    remedy: 'Check the address, the network, and that the control plane runs.',
    cause,
  });

/** fetch says only "fetch failed"; the reason is in its cause. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  if (!(cause instanceof Error)) return String(cause);
  const code = (cause as { code?: unknown }).code;
  return cause.message !== '' ? cause.message : typeof code === 'string' ? code : cause.name;
}

/** The problem document (RFC 9457) in a body, or null. Unknown codes are kept: the server may be newer than we are. */
function parseProblem(text: string): Omit<KvorumErrorFacts, 'status'> | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof body !== 'object' || body === null) return null;
  const { code, detail, remedy, requestId, errors, details } = body as Record<string, unknown>;
  if (typeof code !== 'string' || typeof detail !== 'string') return null;
  return {
    code,
    detail,
    remedy: typeof remedy === 'string' ? remedy : '',
    requestId: typeof requestId === 'string' ? requestId : null,
    errors: Array.isArray(errors) ? errors.filter(isFieldProblem) : [],
    details: typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : {},
  };
}

const isFieldProblem = (one: unknown): one is FieldProblem =>
  typeof one === 'object' &&
  one !== null &&
  typeof (one as FieldProblem).field === 'string' &&
  typeof (one as FieldProblem).message === 'string';
