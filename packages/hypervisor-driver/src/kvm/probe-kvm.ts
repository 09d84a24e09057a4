import { closeSync, openSync } from 'node:fs';
import { KVM_EXTENSIONS, KVM_NUMBERS, KVM_STRUCTS } from '../sys/kvm-abi.js';
import { callFailure, errnoName, lastErrno, libc } from '../sys/libc.js';
import { ERRNO } from '../sys/linux-abi.js';

export const KVM_DEVICE = '/dev/kvm';

/** What /dev/kvm says of itself. */
export interface KvmProbe {
  readonly apiVersion: number;
  /** Name without the KVM_CAP_ prefix -> what KVM_CHECK_EXTENSION answered (0: not there). */
  readonly extensions: Readonly<Record<string, number>>;
  readonly supportedCpuidEntryCount: number;
}

export type KvmProbeResult =
  | { readonly kind: 'answered'; readonly probe: KvmProbe }
  /** `reason` is for people: what opening or asking the device ended with. */
  | { readonly kind: 'absent'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** Never throws for what the device does: a host without KVM is an ordinary host. Closes the device on every path. */
export function probeKvm(): KvmProbeResult {
  let fd: number;
  try {
    fd = openSync(KVM_DEVICE, 'r+');
  } catch (thrown) {
    const code = (thrown as NodeJS.ErrnoException).code ?? 'unknown error';
    return code === 'ENOENT'
      ? { kind: 'absent', reason: `${KVM_DEVICE} is not there` }
      : { kind: 'failed', reason: `${KVM_DEVICE} cannot be opened: ${code}` };
  }
  try {
    const apiVersion = libc().ioctlValue(fd, KVM_NUMBERS.KVM_GET_API_VERSION, 0);
    if (apiVersion < 0) return { kind: 'failed', reason: `KVM_GET_API_VERSION: ${errnoName(lastErrno())}` };
    const probe = { apiVersion, extensions: checkExtensions(fd), supportedCpuidEntryCount: countSupportedCpuid(fd) };
    return { kind: 'answered', probe };
  } catch (thrown) {
    return { kind: 'failed', reason: (thrown as Error).message };
  } finally {
    closeSync(fd);
  }
}

function checkExtensions(fd: number): Record<string, number> {
  const answers: Record<string, number> = {};
  for (const [name, number] of Object.entries(KVM_EXTENSIONS)) {
    const answer = libc().ioctlValue(fd, KVM_NUMBERS.KVM_CHECK_EXTENSION, number);
    if (answer < 0) throw callFailure(`KVM_CHECK_EXTENSION ${name}`);
    answers[name.replace('KVM_CAP_', '')] = answer;
  }
  return answers;
}

/** Today's kernels answer with 20 to 60 entries; KVM_MAX_CPUID_ENTRIES is 256 (arch/x86/include/asm/kvm_host.h). */
const CPUID_ENTRY_COUNT_FIRST = 32;
const CPUID_ENTRY_COUNT_MAX = 4096;

/** The kernel refuses a table that is too small with E2BIG and does not say what it needs: ask with twice as much. */
function countSupportedCpuid(fd: number): number {
  const { kvm_cpuid2: header, kvm_cpuid_entry2: entry } = KVM_STRUCTS;
  for (let count = CPUID_ENTRY_COUNT_FIRST; count <= CPUID_ENTRY_COUNT_MAX; count *= 2) {
    const table = Buffer.alloc(header.sizeBytes + count * entry.sizeBytes);
    table.writeUInt32LE(count, header.offsets.nent);
    if (libc().ioctlBuffer(fd, KVM_NUMBERS.KVM_GET_SUPPORTED_CPUID, table) === 0) {
      return table.readUInt32LE(header.offsets.nent);
    }
    const errno = lastErrno();
    if (errno !== ERRNO.E2BIG) throw callFailure('KVM_GET_SUPPORTED_CPUID', errno);
  }
  throw callFailure('KVM_GET_SUPPORTED_CPUID with the largest table', ERRNO.E2BIG);
}
