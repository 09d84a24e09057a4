import { DomainError, VCPU_COUNT_MAX } from '@kvorum/schema';
import { cpusOfThread, isSameSet } from '../cpu/process-threads.js';
import type { CpuPlacement, VmThread } from '../driver.js';

/** Above the kernel's highest pid (PID_MAX_LIMIT, 4194304): can never be mistaken for a real process. */
export const FIRST_PID = 4_194_305;
/** Of one process, with all the vCPUs that it may yet get. */
export const THREAD_ID_COUNT = 2 * VCPU_COUNT_MAX;

const OTHER_NAMES = ['qemu-system-x86', 'worker'];

/** Threads of a FakeProcess: the main loop, one worker, and the vCPUs, which is enough to tell them apart. */
export class FakeThreads {
  readonly #pid: number;
  readonly #hostCpus: readonly number[];
  #threads: VmThread[];

  constructor(pid: number, vcpuCount: number, hostCpus: readonly number[]) {
    this.#pid = pid;
    this.#hostCpus = hostCpus;
    this.#threads = OTHER_NAMES.map((name, index) => ({
      threadId: pid + index,
      vcpuIndex: null,
      name,
      cpus: hostCpus,
    }));
    this.setVcpuCount(vcpuCount);
  }

  /** New ones run where the main loop runs, which makes them. */
  setVcpuCount(vcpuCount: number): void {
    const kept = this.#threads.filter(({ vcpuIndex }) => vcpuIndex === null || vcpuIndex < vcpuCount);
    const cpus = kept[0]?.cpus ?? this.#hostCpus;
    const known = kept.length - OTHER_NAMES.length;
    const added = Array.from({ length: vcpuCount - known }, (_, index) => ({
      threadId: this.#pid + kept.length + index,
      vcpuIndex: known + index,
      name: `CPU ${known + index}/KVM`,
      cpus,
    }));
    this.#threads = [...kept, ...added];
  }

  get all(): readonly VmThread[] {
    return this.#threads;
  }

  /** Binds them as told; returns how many were not so before. */
  place(placement: CpuPlacement): number {
    let movedCount = 0;
    for (const { threadId, vcpuIndex, cpus } of this.#threads) {
      const promised = cpusOfThread(vcpuIndex, placement);
      if (promised.length === 0 || isSameSet(promised, cpus)) continue;
      this.move(threadId, promised);
      movedCount += 1;
    }
    return movedCount;
  }

  /** As sched_setaffinity(2) by anybody. */
  move(threadId: number, cpus: readonly number[]): void {
    if (!cpus.every((cpu) => this.#hostCpus.includes(cpu))) {
      throw new DomainError('host_fault', `this host cannot run threads on CPU ${cpus.join(',')}`);
    }
    this.#threads = this.#threads.map((thread) => (thread.threadId === threadId ? { ...thread, cpus } : thread));
  }
}
