import { toUnavailable } from '@kvorum/control-plane';
import { DomainError, ERROR_CATALOGUE, type FieldError, type Problem, toDomainError } from '@kvorum/schema';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ResponseSerializationError } from 'fastify-type-provider-zod';

/** RFC 9457. */
export const PROBLEM_MEDIA_TYPE = 'application/problem+json; charset=utf-8';
/** What a caller is told to wait when nobody knows better, in seconds. */
const RETRY_AFTER_SECONDS = 1;

/** Every failure leaves as a problem document: the one place where errors meet HTTP. */
export function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: unknown, request, reply) => sendProblem(error, request, reply));
}

export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = fromFramework(thrown);
  if (error.code === 'bug') request.log.error({ err: thrown, requestId: request.id }, 'a request failed by a bug');
  reply.code(error.httpStatus).header('content-type', PROBLEM_MEDIA_TYPE).header('cache-control', 'no-store');
  // Set here too: refusals of the framework pass no hooks.
  reply.header('x-request-id', request.id);
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  if (error.httpStatus === 429 || error.httpStatus === 503) {
    const waitSeconds = error.details['retryAfterSeconds'];
    reply.header('retry-after', typeof waitSeconds === 'number' ? waitSeconds : RETRY_AFTER_SECONDS);
  }
  // A string is sent as it is: the way out of a failure must not itself be able to fail by a schema.
  return reply.send(JSON.stringify(problemOf(error, request.id)));
}

export function problemOf(error: DomainError, requestId: string): Problem {
  const { fields, ...details } = error.details;
  return {
    type: `/v1/errors/${error.code}`,
    title: error.code.replaceAll('_', ' '),
    status: error.httpStatus,
    detail: error.message,
    code: error.code,
    remedy: ERROR_CATALOGUE[error.code].remedy,
    requestId,
    ...(fields === undefined ? {} : { errors: fields.map(({ field, message }) => ({ field, message })) }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}

export const refusalOfField = (
  field: string,
  message: string,
  code: 'invalid_request' | 'payload_too_large' | 'unsupported_media_type' = 'invalid_request',
): DomainError => {
  const fields: readonly FieldError[] = [{ field, message }];
  return new DomainError(code, `${field}: ${message}`, { details: { fields } });
};

/** Fastify's own refusals, as codes of the catalogue. Its codes are listed in its reference, page "Errors". */
function fromFramework(thrown: unknown): DomainError {
  if (thrown instanceof DomainError) return thrown;
  if (thrown instanceof ResponseSerializationError) {
    return new DomainError('bug', 'the answer did not match its own description; it has been logged', {
      cause: thrown,
    });
  }
  switch ((thrown as Partial<FastifyError> | null)?.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refusalOfField('header.content-type', 'is not a media type this route takes', 'unsupported_media_type');
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refusalOfField('body', 'is larger than this route takes', 'payload_too_large');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refusalOfField('header.content-length', 'does not agree with the size of the body');
    case 'FST_ERR_BAD_URL':
      return refusalOfField('path', 'is not a valid URL path');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new DomainError('not_found', 'there is no such route');
    default:
      return toDomainError(toUnavailable(thrown));
  }
}
