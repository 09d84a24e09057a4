import { DomainError, type FieldError } from '@kvorum/schema';
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';

const PART_NAMES: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'header',
};
/** A request with more mistakes than this learns of the first ones; the answer stays small whatever was sent. */
const FIELD_ERROR_COUNT_MAX = 20;
/** A key that a caller made up is repeated in the answer, but not at any length. */
const FIELD_LENGTH_MAX = 128;

/** Checks each part of a request against its zod shape; a refusal names every wrong field, as `body.vcpuCount`. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (input: unknown) => {
    const parsed = schema.safeParse(input);
    if (parsed.success) return { value: parsed.data };
    return { error: invalidInput(PART_NAMES[httpPart ?? 'body'] ?? 'body', parsed.error.issues) };
  };

export function invalidInput(part: string, issues: readonly z.core.$ZodIssue[]): DomainError {
  const fields = issues.flatMap((issue) => fieldErrorsOf(part, issue)).slice(0, FIELD_ERROR_COUNT_MAX);
  const message = fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new DomainError('invalid_request', message, { details: { fields } });
}

function fieldErrorsOf(part: string, issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: fieldName(part, [...issue.path, key]), message: 'is not a known field' }));
  }
  // The text of a broken rule about keys or elements is one level down.
  const inner = issue.code === 'invalid_key' || issue.code === 'invalid_element' ? issue.issues[0]?.message : undefined;
  return [{ field: fieldName(part, issue.path), message: printable(inner ?? issue.message) }];
}

const fieldName = (part: string, path: readonly PropertyKey[]): string =>
  printable([part, ...path.map(String)].join('.')).slice(0, FIELD_LENGTH_MAX);

/** Names and texts may hold what the caller sent: control characters would reach terminals and logs. */
const printable = (text: string): string => text.replace(/\p{C}/gu, '\ufffd');
