import { DomainError } from '@kvorum/schema';

/** Throws precondition_failed when the object is not as the caller read it. */
export function requireGeneration(
  what: string,
  { generation }: { readonly generation: number },
  ifMatch: number | undefined,
): void {
  if (ifMatch === undefined || ifMatch === generation) return;
  throw new DomainError('precondition_failed', `the ${what} is at generation ${generation}`, {
    details: { generation },
  });
}
