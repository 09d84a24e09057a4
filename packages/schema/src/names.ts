import { z } from 'zod';
import { LABEL_COUNT_MAX, LABEL_VALUE_LENGTH_MAX, NAME_LENGTH_MAX } from './limits.js';

/** A DNS label (RFC 1123): it can be a host name, a file name and part of a URL without any escaping. */
export const ResourceName = z
  .string()
  .min(1)
  .max(NAME_LENGTH_MAX)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, {
    error: 'must be 1 to 63 characters of a-z, 0-9 and "-", beginning and ending with a letter or a digit',
  })
  .meta({ description: 'A DNS label: a-z, 0-9 and "-", 1 to 63 characters' });

const LabelKey = z.string().regex(/^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$/, {
  error: 'label keys are 1 to 63 characters of a-z, 0-9, ".", "_", "/" and "-"',
});

/** Values are printable: control characters would reach terminals and logs. */
const LabelValue = z
  .string()
  .max(LABEL_VALUE_LENGTH_MAX)
  .regex(/^\P{C}*$/u, { error: 'label values must not hold control characters' });

export const Labels = z
  .record(LabelKey, LabelValue)
  .refine((labels) => Object.keys(labels).length <= LABEL_COUNT_MAX, {
    error: `at most ${LABEL_COUNT_MAX} labels`,
  })
  .meta({ id: 'Labels', description: 'Free key-value pairs of the user' });
