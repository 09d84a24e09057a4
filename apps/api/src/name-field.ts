import { DomainError, type ErrorCode } from '@kvorum/schema';

/**
 * Says which field of the request a refusal is about, where the use case knows only its own terms: content, checksum. A
 * refusal that names a field already keeps it.
 */
export async function namingField<Result>(
  fields: Readonly<Partial<Record<ErrorCode, string>>>,
  use: () => Promise<Result>,
): Promise<Result> {
  try {
    return await use();
  } catch (error) {
    const field = error instanceof DomainError ? fields[error.code] : undefined;
    if (!(error instanceof DomainError) || field === undefined || error.details.fields !== undefined) throw error;
    throw new DomainError(error.code, `${field}: ${error.message}`, {
      details: { ...error.details, fields: [{ field, message: error.message }] },
      cause: error,
    });
  }
}
