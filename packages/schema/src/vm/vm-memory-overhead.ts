import { KIB, MIB } from '../limits.js';
import type { Accelerator } from './vm.schema.js';
import type { VmHardware } from './vm-hardware.schema.js';
import type { VmSize } from './vm-layout.js';

/**
 * What a VM's process takes of its host beyond the guest's memory: the one place where this is said. Placement reserves it,
 * the agent limits the VM's control group by it and reports what it really is beside it. Measured with QEMU 10.0 (decision
 * 14 has the figures); each part is on the safe side of the largest that was seen, as a VM that takes more is killed.
 */
const PART_BYTES = {
  /** Program, libraries, device models: 40 MiB, of which 23 are shared between VMs while the host has memory. */
  process: 48 * MIB,
  /** Caches of qcow2 tables: each image's up to 32 MiB, for disks of 256 GiB and more (qemu-block-drivers(7)). */
  diskTables: 64 * MIB,
  /** Video memory of 16 MiB and the picture that is made of it. */
  video: 32 * MIB,
  /** 64 threads for disk work at most (util/thread-pool.c), each with a touched stack of some pages. */
  diskWork: 64 * 64 * KIB,
  /** Stack, vCPU state and the kernel's structures for it: 375 KiB. */
  vcpu: MIB,
} as const;

/** Of emulation alone. */
const EMULATION_BYTES = {
  /** The buffer of translated code has a fixed size; with what is known about each block. */
  translationBuffer: 32 * MIB,
  translationTables: 16 * MIB,
  /** Its own lookup tables of guest pages, one set per vCPU, which grow with what the guest touches. */
  vcpu: 4 * MIB,
} as const;

/** MiB of translated code that QEMU is told to keep: tb-size of `-accel tcg`. */
export const TRANSLATION_BUFFER_MIB = EMULATION_BYTES.translationBuffer / MIB;

/** 8 bytes per 4 KiB page, in the tables of the process and again in those that the processor walks for the guest. */
const PAGE_TABLE_SHARE = 256;
/** A huge page has one entry where there were at least 512. */
const HUGE_PAGE_TABLE_SHARE = PAGE_TABLE_SHARE * 512;

interface OverheadInput extends VmSize {
  readonly accelerator: Accelerator | null;
  readonly hardware: VmSize['hardware'] & Pick<VmHardware, 'display'>;
}

/** In bytes, whole MiB. `accelerator` null: not chosen yet; what is enough for either. */
export function memoryOverheadBytes(vm: OverheadInput): number {
  const { vcpuCount, memoryBytes, accelerator, hardware } = vm;
  const isEmulated = accelerator !== 'kvm';
  const { translationBuffer, translationTables } = EMULATION_BYTES;
  const { process, diskTables, diskWork } = PART_BYTES;
  const video = hardware.display.kind === 'none' ? 0 : PART_BYTES.video;
  const fixed = process + diskTables + video + diskWork + (isEmulated ? translationBuffer + translationTables : 0);
  const vcpus = vcpuCount * (PART_BYTES.vcpu + (isEmulated ? EMULATION_BYTES.vcpu : 0));
  const tables = memoryBytes / (hardware.memory.hugePageBytes === null ? PAGE_TABLE_SHARE : HUGE_PAGE_TABLE_SHARE);
  return Math.ceil((fixed + vcpus + tables) / MIB) * MIB;
}

/** Ordinary memory that a VM may take in all: huge pages are set aside by the host and not counted by control groups. */
export const ordinaryMemoryBytes = (vm: OverheadInput): number =>
  memoryOverheadBytes(vm) + (vm.hardware.memory.hugePageBytes === null ? vm.memoryBytes : 0);
