import { DomainError } from '@kvorum/schema';
import { callFailure, lastErrno, libc } from '../sys/libc.js';
import { CPU_MASK_BYTES, ERRNO } from '../sys/linux-abi.js';
import { CPU_INDEX_MAX, formatCpuList } from './cpu-list.js';

/** cpu_set_t is an array of longs, little-endian on x86-64, so CPU n is bit n%8 of byte n/8. Exported for its test. */
export function encodeCpuMask(cpus: readonly number[]): Buffer {
  const mask = Buffer.alloc(CPU_MASK_BYTES);
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu > CPU_INDEX_MAX) {
      throw new DomainError('invalid_request', `CPU ${cpu} is not within 0 to ${CPU_INDEX_MAX}`);
    }
    mask.writeUInt8(mask.readUInt8(cpu >> 3) | (1 << (cpu & 7)), cpu >> 3);
  }
  return mask;
}

export function decodeCpuMask(mask: Buffer): number[] {
  const cpus: number[] = [];
  for (const [index, byte] of mask.entries()) {
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) cpus.push(index * 8 + bit);
  }
  return cpus;
}

/**
 * Binds one thread (of any process) to the CPUs. sched_setaffinity(2) silently drops CPUs that are offline or outside
 * the cpuset, so the mask is read back and anything but an exact match is `host_fault`.
 */
export function bindThread(threadId: number, cpus: readonly number[]): void {
  if (cpus.length === 0) throw new DomainError('invalid_request', 'a thread needs at least one CPU');
  const mask = encodeCpuMask(cpus);
  if (libc().schedSetaffinity(threadId, mask.length, mask) !== 0) {
    const errno = lastErrno();
    // EINVAL of sched_setaffinity(2): none of the CPUs is there or allowed.
    if (errno === ERRNO.EINVAL) {
      throw new DomainError('host_fault', `this host cannot run threads on CPU ${formatCpuList(cpus)}`);
    }
    throw callFailure(`binding thread ${threadId} to CPU ${formatCpuList(cpus)}`, errno);
  }
  const actual = threadCpus(threadId);
  if (formatCpuList(actual) !== formatCpuList(cpus)) {
    throw new DomainError(
      'host_fault',
      `thread ${threadId} may run on CPU ${formatCpuList(actual)}, not on ${formatCpuList(cpus)} as asked`,
    );
  }
}

/** The CPUs on which a thread may run; thread 0 is the calling thread. */
export function threadCpus(threadId: number): number[] {
  const mask = Buffer.alloc(CPU_MASK_BYTES);
  if (libc().schedGetaffinity(threadId, mask.length, mask) < 0) {
    throw callFailure(`reading the CPUs of thread ${threadId}`);
  }
  return decodeCpuMask(mask);
}
