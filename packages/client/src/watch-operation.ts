import { KvorumError } from './kvorum-error.js';
import { readEventStream } from './server-sent-events.js';
import type { Operation, Progress } from './shapes.js';
import type { Transport } from './transport.js';

export interface WatchOptions {
  /** Called with the operation as it is at first, and after each change. */
  readonly onUpdate?: (operation: Operation) => void;
  /** Ends the watching, not the operation: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** States in which nothing more happens by itself. */
const END_STATES: readonly Operation['state'][] = ['succeeded', 'failed', 'cancelled', 'stuck'];

/** Follows an operation over broken connections until it has ended or waits for a person; returns it as it is then. */
export async function watchOperation(
  transport: Transport,
  operationId: string,
  { onUpdate, signal }: WatchOptions = {},
): Promise<Operation> {
  const until = signal ?? new AbortController().signal;
  const messages = readEventStream(transport.fetch, transport.sleep, {
    url: transport.urlOf(`/v1/operations/${encodeURIComponent(operationId)}/watch`),
    headers: transport.headers,
    lastEventId: null,
    signal: until,
  });
  let operation: Operation | null = null;
  for await (const { type, data } of messages) {
    operation = applied(operation, type, data);
    if (operation === null) continue;
    onUpdate?.(operation);
    if (END_STATES.includes(operation.state)) return operation;
  }
  // The stream ends for no other reason.
  throw until.reason;
}

/** As watchOperation, but an end that is not success is thrown as the KvorumError the operation failed with. */
export async function waitForOperation(
  transport: Transport,
  operationId: string,
  options: WatchOptions = {},
): Promise<Operation> {
  const operation = await watchOperation(transport, operationId, options);
  if (operation.state === 'succeeded') return operation;
  throw await failureOf(transport, operation);
}

function applied(before: Operation | null, type: string, data: string): Operation | null {
  if (type === 'operation') return JSON.parse(data) as Operation;
  if (type === 'progress' && before !== null) return { ...before, progress: JSON.parse(data) as Progress };
  return before;
}

async function failureOf(transport: Transport, operation: Operation): Promise<KvorumError> {
  const { id, kind, state, error } = operation;
  const detail = error?.message ?? `operation ${id} (${kind}) is ${state}`;
  const details = { ...error?.details, operationId: id };
  if (state === 'stuck') {
    const remedy = `Look at its steps, remove the cause, then resume or unwind operation ${id}.`;
    return new KvorumError({ code: 'operation_stuck', status: null, detail, remedy, details });
  }
  const code = error?.code ?? 'cancelled';
  return new KvorumError({ code, status: null, detail, remedy: await remedyOf(transport, code), details });
}

/** Stored errors carry no remedy; the catalogue has it. Not worth a failure of its own. */
async function remedyOf({ api, bodyOf }: Transport, code: NonNullable<Operation['error']>['code']): Promise<string> {
  try {
    return (await bodyOf(api.GET('/v1/errors/{code}', { params: { path: { code } } }))).remedy;
  } catch {
    return '';
  }
}
