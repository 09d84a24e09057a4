import { type CpuPlacement, formatCpuList, type VmThread } from '@kvorum/hypervisor-driver';

export interface Drift {
  readonly threadCount: number;
  readonly driftedCount: number;
  /** The first of them, for people. */
  readonly example: string;
}

/** Threads that the kernel lets run where they were not promised to. Null: all is as promised. Pure. */
export function findDrift(threads: readonly VmThread[], { vcpuCpus, otherCpus }: CpuPlacement): Drift | null {
  const promisedTo = ({ vcpuIndex }: VmThread): readonly number[] => {
    const own = vcpuIndex === null ? undefined : vcpuCpus[vcpuIndex];
    return own === undefined ? otherCpus : [own];
  };
  const drifted = threads.filter((thread) => {
    const promised = promisedTo(thread);
    return promised.length > 0 && formatCpuList(promised) !== formatCpuList(thread.cpus);
  });
  const [first] = drifted;
  if (first === undefined) return null;
  const what = first.vcpuIndex === null ? `thread ${first.threadId} (${first.name})` : `vCPU ${first.vcpuIndex}`;
  const example = `${what} may run on CPU ${formatCpuList(first.cpus)}, promised is ${formatCpuList(promisedTo(first))}`;
  return { threadCount: threads.length, driftedCount: drifted.length, example };
}

export const describeDrift = ({ threadCount, driftedCount, example }: Drift): string =>
  `${driftedCount} of ${threadCount} threads are not on their CPUs: ${example}; the next audit puts them back`;
