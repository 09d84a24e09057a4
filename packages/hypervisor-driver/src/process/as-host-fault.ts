import { DomainError } from '@kvorum/schema';

/** Runs it; what it throws that is no DomainError (a file or system error) becomes `host_fault` with the words in front. */
export async function asHostFault<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    if (thrown instanceof DomainError) throw thrown;
    throw new DomainError('host_fault', `${what}: ${(thrown as Error).message}`, { cause: thrown });
  }
}
