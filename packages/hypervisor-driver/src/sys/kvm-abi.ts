/**
 * Numbers and layouts of the KVM API as this package uses them, for x86-64. Keys are spelled as in C, because
 * test/header-check compiles each of them against the kernel's headers and compares.
 */

/** linux/kvm.h. The `_IO` family is built from KVMIO (0xAE), direction and argument size (asm-generic/ioctl.h). */
export const KVM_NUMBERS = {
  KVM_API_VERSION: 12, // linux/kvm.h: the only version since Linux 2.6.22
  KVM_GET_API_VERSION: 0xae00, // linux/kvm.h: _IO(KVMIO, 0x00)
  KVM_CREATE_VM: 0xae01, // linux/kvm.h: _IO(KVMIO, 0x01), returns a VM fd
  KVM_CHECK_EXTENSION: 0xae03, // linux/kvm.h: _IO(KVMIO, 0x03)
  KVM_GET_VCPU_MMAP_SIZE: 0xae04, // linux/kvm.h: _IO(KVMIO, 0x04)
  KVM_GET_SUPPORTED_CPUID: 0xc008ae05, // linux/kvm.h: _IOWR(KVMIO, 0x05, struct kvm_cpuid2)
  KVM_CREATE_VCPU: 0xae41, // linux/kvm.h: _IO(KVMIO, 0x41), returns a vCPU fd
  KVM_SET_USER_MEMORY_REGION: 0x4020ae46, // linux/kvm.h: _IOW(KVMIO, 0x46, struct kvm_userspace_memory_region)
  KVM_RUN: 0xae80, // linux/kvm.h: _IO(KVMIO, 0x80)
  KVM_SET_REGS: 0x4090ae82, // linux/kvm.h: _IOW(KVMIO, 0x82, struct kvm_regs)
  KVM_GET_SREGS: 0x8138ae83, // linux/kvm.h: _IOR(KVMIO, 0x83, struct kvm_sregs)
  KVM_SET_SREGS: 0x4138ae84, // linux/kvm.h: _IOW(KVMIO, 0x84, struct kvm_sregs)
  KVM_EXIT_IO: 2, // linux/kvm.h: kvm_run.exit_reason
  KVM_EXIT_HLT: 5, // linux/kvm.h: kvm_run.exit_reason
  KVM_EXIT_IO_OUT: 1, // linux/kvm.h: kvm_run.io.direction
} as const;

/** linux/kvm.h, KVM_CAP_*: what KVM_CHECK_EXTENSION is asked for. Those that later parts decide by, and no more. */
export const KVM_EXTENSIONS = {
  KVM_CAP_IRQCHIP: 0, // linux/kvm.h: interrupt controller in the kernel
  KVM_CAP_HLT: 1, // linux/kvm.h
  KVM_CAP_USER_MEMORY: 3, // linux/kvm.h: memory slots backed by our own memory
  KVM_CAP_SET_TSS_ADDR: 4, // linux/kvm.h: needed to run real mode on Intel
  KVM_CAP_EXT_CPUID: 7, // linux/kvm.h: KVM_GET_SUPPORTED_CPUID exists
  KVM_CAP_NR_VCPUS: 9, // linux/kvm.h: recommended vCPUs of one VM
  KVM_CAP_NR_MEMSLOTS: 10, // linux/kvm.h
  KVM_CAP_IRQFD: 32, // linux/kvm.h
  KVM_CAP_TSC_CONTROL: 60, // linux/kvm.h: migration between hosts of different TSC rates
  KVM_CAP_MAX_VCPUS: 66, // linux/kvm.h: hard bound of one VM
  KVM_CAP_TSC_DEADLINE_TIMER: 72, // linux/kvm.h
  KVM_CAP_READONLY_MEM: 81, // linux/kvm.h
  KVM_CAP_SPLIT_IRQCHIP: 121, // linux/kvm.h: more than 255 vCPUs need it
  KVM_CAP_MAX_VCPU_ID: 128, // linux/kvm.h
  KVM_CAP_X2APIC_API: 129, // linux/kvm.h
  KVM_CAP_IMMEDIATE_EXIT: 136, // linux/kvm.h
  KVM_CAP_NESTED_STATE: 157, // linux/kvm.h: migration of nested guests
  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: 168, // linux/kvm.h: cheaper dirty page logs
  KVM_CAP_DIRTY_LOG_RING: 192, // linux/kvm.h
} as const;

/** A structure: its size, and the offset of each field that is read or written. */
export interface StructLayout {
  readonly sizeBytes: number;
  readonly offsets: Readonly<Record<string, number>>;
}

/** `sizeBytes` of kvm_cpuid2 is that of its header: entries follow as a flexible array. */
export const KVM_STRUCTS = {
  kvm_cpuid2: { sizeBytes: 8, offsets: { nent: 0, entries: 8 } }, // asm/kvm.h
  kvm_cpuid_entry2: { sizeBytes: 40, offsets: { function: 0, index: 4, flags: 8, eax: 12, ebx: 16, ecx: 20, edx: 24 } }, // asm/kvm.h
  kvm_userspace_memory_region: {
    sizeBytes: 32,
    offsets: { slot: 0, flags: 4, guest_phys_addr: 8, memory_size: 16, userspace_addr: 24 },
  }, // linux/kvm.h
  kvm_regs: { sizeBytes: 144, offsets: { rax: 0, rip: 128, rflags: 136 } }, // asm/kvm.h
  kvm_sregs: { sizeBytes: 312, offsets: { 'cs.base': 0, 'cs.selector': 12 } }, // asm/kvm.h, with kvm_segment
} as const satisfies Record<string, StructLayout>;

/** struct kvm_run (linux/kvm.h) grows with the kernel: its size comes from KVM_GET_VCPU_MMAP_SIZE, never from here. */
export const KVM_RUN_OFFSETS = {
  exit_reason: 8,
  'io.direction': 32,
  'io.size': 33,
  'io.port': 34,
  'io.count': 36,
  'io.data_offset': 40,
} as const;
