import type { ServiceError } from '@grpc/grpc-js';
import { type DomainError, ERROR_CATALOGUE, toDomainError } from '@kvorum/schema';
import { toServiceError } from '@kvorum/schema/agent-wire';
import type { Log } from '../log.js';
import type { AgentServices } from './agent-services.js';

export interface HandlerContext {
  readonly services: AgentServices;
  readonly siteId: string;
  readonly log: Log;
}

/** Aborted when the caller gives up or its deadline passes. */
export function signalOf(call: { on(event: 'cancelled', listener: () => void): unknown }): AbortSignal {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort());
  return controller.signal;
}

export function refusal(log: Log, name: string, thrown: unknown): Partial<ServiceError> {
  const error = toDomainError(thrown);
  const fields = { rpc: name, code: error.code, reason: error.message, cause: causeOf(error) };
  // What the caller asked wrongly is its business; what this host could not do is an operator's.
  if (ERROR_CATALOGUE[error.code].http >= 500) log.warn(fields, 'a request failed');
  else log.debug(fields, 'a request was refused');
  return toServiceError(error);
}

const causeOf = (error: DomainError): string | undefined =>
  error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : undefined;
