import { DomainError } from '@kvorum/schema';
import { cpusOfThread, isSameSet } from '../cpu/process-threads.js';
import type { CpuPlacement, VmThread } from '../driver.js';

/** Threads of a FakeProcess: the main loop, one worker, and the vCPUs, which is enough to tell them apart. */
export class FakeThreads {
  readonly #hostCpus: readonly number[];
  #threads: VmThread[];

  constructor(pid: number, vcpuCount: number, hostCpus: readonly number[]) {
    this.#hostCpus = hostCpus;
    const names = ['qemu-system-x86', 'worker'];
    const others = names.map((name, index) => ({ threadId: pid + index, vcpuIndex: null, name }));
    const vcpus = Array.from({ length: vcpuCount }, (_, vcpuIndex) => ({
      threadId: pid + others.length + vcpuIndex,
      vcpuIndex,
      name: `CPU ${vcpuIndex}/KVM`,
    }));
    this.#threads = [...others, ...vcpus].map((thread) => ({ ...thread, cpus: hostCpus }));
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
