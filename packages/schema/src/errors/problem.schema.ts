import { z } from 'zod';
import { ERROR_CODES } from './error-catalogue.js';

export const StoredErrorShape = z
  .object({
    code: z.enum(ERROR_CODES),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'OperationError', description: 'Why something failed; the same body as a problem document carries' });

/** RFC 9457 problem document. `code` is stable and meant for programs, `detail` is for people. */
export const Problem = z
  .object({
    type: z.string().meta({ description: 'URI reference of the page that explains the code' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(ERROR_CODES),
    remedy: z.string(),
    requestId: z.string(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem document' });
export type Problem = z.infer<typeof Problem>;
