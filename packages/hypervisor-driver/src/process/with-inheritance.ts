import { DomainError } from '@kvorum/schema';
import { bindThread, threadCpus } from '../cpu/affinity.js';
import { callFailure, lastErrno, libc } from '../sys/libc.js';
import { ERRNO, LINUX_NUMBERS, LINUX_STRUCTS } from '../sys/linux-abi.js';

/** What a child of this process is born with. */
export interface Inheritance {
  /** The CPUs it may use; empty: those of this process. */
  readonly cpus: readonly number[];
  /** May it lock any amount of memory (mlockall(2))? */
  readonly mayLockMemory: boolean;
}

/**
 * Runs `spawn` while this thread has what its children are to inherit: CPU affinity and the limit on locked memory are kept
 * over fork(2) and execve(2). So a QEMU process never runs a thread, not for its first microsecond, on a CPU that belongs to
 * another VM; binding it afterwards would.
 *
 * SAFE: `spawn` must not wait. Nothing else of this program runs in between, and libuv forks on the thread that calls it
 * (uv_spawn). Both settings are put back also when `spawn` throws.
 */
export function withInheritance<Result>({ cpus, mayLockMemory }: Inheritance, spawn: () => Result): Result {
  const ownCpus = cpus.length === 0 ? null : threadCpus(CALLING_THREAD);
  const ownLimit = mayLockMemory ? raiseLockLimit() : null;
  try {
    if (cpus.length > 0) bindThread(CALLING_THREAD, cpus);
    return spawn();
  } finally {
    if (ownCpus !== null) bindThread(CALLING_THREAD, ownCpus);
    if (ownLimit !== null) setLockLimit(ownLimit);
  }
}

/** To sched_setaffinity(2) and prlimit(2). */
const CALLING_THREAD = 0;

/** No limit: MCL_FUTURE counts mappings, not pages, so any number would be wrong. The VM's control group bounds its memory. */
function raiseLockLimit(): Buffer {
  const own = Buffer.alloc(LINUX_STRUCTS.rlimit64.sizeBytes);
  const unlimited = Buffer.alloc(own.length, 0xff); // RLIM64_INFINITY is ~0, linux/resource.h
  if (libc().prlimit(CALLING_THREAD, LINUX_NUMBERS.RLIMIT_MEMLOCK, unlimited, own) !== 0) {
    const errno = lastErrno();
    if (errno !== ERRNO.EPERM) throw callFailure('letting a VM lock its memory', errno);
    throw new DomainError(
      'host_fault',
      'this agent may not let VMs lock their memory: start it with LimitMEMLOCK=infinity, as the unit in deploy/systemd does',
    );
  }
  return own;
}

function setLockLimit(limit: Buffer): void {
  if (libc().prlimit(CALLING_THREAD, LINUX_NUMBERS.RLIMIT_MEMLOCK, limit, null) !== 0) {
    throw callFailure('putting back the limit on locked memory');
  }
}
