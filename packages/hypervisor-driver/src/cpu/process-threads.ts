import { readdirSync, readFileSync } from 'node:fs';
import type { CpuPlacement, VmThread } from '../driver.js';
import { bindThread, threadCpus } from './affinity.js';

/** A process names its threads as it likes: comm is 15 bytes and a NUL (TASK_COMM_LEN of linux/sched.h). */
const NAME_LENGTH_MAX = 16;

/** The threads of a process as the kernel knows them. One that ends while we look is left out. */
export function readThreads(pid: number, vcpuThreadIds: readonly number[]): VmThread[] {
  return threadIdsOf(pid).flatMap((threadId) => {
    try {
      const vcpuIndex = vcpuThreadIds.indexOf(threadId);
      return [
        {
          threadId,
          vcpuIndex: vcpuIndex < 0 ? null : vcpuIndex,
          name: threadName(pid, threadId),
          cpus: threadCpus(threadId),
        },
      ];
    } catch {
      return [];
    }
  });
}

/** The CPUs a thread was promised; empty: any. */
export function cpusOfThread(vcpuIndex: number | null, { vcpuCpus, otherCpus }: CpuPlacement): readonly number[] {
  const own = vcpuIndex === null ? undefined : vcpuCpus[vcpuIndex];
  return own === undefined ? otherCpus : [own];
}

/**
 * Binds every thread of the process. Looks again until a round finds nothing to do: a thread that was started by one not yet
 * bound has its old CPUs. Returns how many were bound.
 *
 * SAFE: ids come from /proc/<pid>/task. One whose thread ends between listing and binding is refused (ESRCH); that the kernel
 * gives the same id to a thread of somebody else within those microseconds would take all of pid_max ids in between.
 */
export function bindThreads(pid: number, vcpuThreadIds: readonly number[], placement: CpuPlacement): number {
  let boundCount = 0;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const before = boundCount;
    for (const { threadId, vcpuIndex, cpus } of readThreads(pid, vcpuThreadIds)) {
      const promised = cpusOfThread(vcpuIndex, placement);
      if (promised.length === 0 || isSameSet(promised, cpus)) continue;
      try {
        bindThread(threadId, promised);
        boundCount += 1;
      } catch (thrown) {
        if (threadIdsOf(pid).includes(threadId)) throw thrown;
      }
    }
    if (boundCount === before) break;
  }
  return boundCount;
}

/** Two are usual; a process that starts threads all the time is looked at again by the next audit. */
const ROUNDS_MAX = 4;

export const isSameSet = (left: readonly number[], right: readonly number[]): boolean =>
  left.length === right.length && left.every((cpu) => right.includes(cpu));

/** Empty once the process has ended. */
function threadIdsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

/** Hostile text: what is not plain becomes a question mark. */
const threadName = (pid: number, threadId: number): string =>
  readFileSync(`/proc/${pid}/task/${threadId}/comm`, 'latin1')
    .trimEnd()
    .slice(0, NAME_LENGTH_MAX)
    .replaceAll(/[^\x20-\x7e]/g, '?');
