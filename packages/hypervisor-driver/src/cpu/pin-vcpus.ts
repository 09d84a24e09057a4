import { DomainError } from '@kvorum/schema';
import { bindThread } from './affinity.js';

/** Why the list of host CPUs cannot be taken for so many vCPUs, or null. Empty means: not pinned. */
export function pinningRefusal(vcpuCount: number, pinnedCpus: readonly number[]): string | null {
  if (pinnedCpus.length === 0) return null;
  if (pinnedCpus.length !== vcpuCount) {
    return `${pinnedCpus.length} CPUs for ${vcpuCount} vCPUs: pinning is one to one`;
  }
  if (new Set(pinnedCpus).size !== pinnedCpus.length) return 'a host CPU is named twice';
  return null;
}

/** Binds vCPU i to pinnedCpus[i]. `threadIds` is in the order of vCPU index, as query-cpus-fast says. */
export function pinVcpus(threadIds: readonly number[], pinnedCpus: readonly number[]): void {
  const refusal = pinningRefusal(threadIds.length, pinnedCpus);
  if (refusal !== null) throw new DomainError('invalid_request', refusal);
  for (const [index, cpu] of pinnedCpus.entries()) bindThread(threadIds[index] as number, [cpu]);
}
