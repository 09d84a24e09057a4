import { KVM_NUMBERS, KVM_RUN_OFFSETS, KVM_STRUCTS } from '../sys/kvm-abi.js';
import { LINUX_NUMBERS } from '../sys/linux-abi.js';

/**
 * The smallest guest that proves a host enters and leaves guest mode: real mode, one page.
 *   mov al, 'K' ; mov dx, 0x3f8 ; out dx, al ; hlt
 */
const CODE = [0xb0, 0x4b, 0xba, 0xf8, 0x03, 0xee, 0xf4];
const PORT = 0x3f8;
const LETTER = 0x4b;
/** Two exits are right; a guest that makes more than this goes astray. */
const EXIT_COUNT_MAX = 8;
/** The page lies above the interrupt table and below 64 KiB, where real mode with segment 0 reaches. */
const LOAD_ADDRESS = 0x1000;
const PAGE_BYTES = 4096;
/** Bit 1 of RFLAGS is reserved and always 1 (Intel SDM volume 1, 3.4.3). */
const RFLAGS_RESERVED = 2;

/** Everything test-guest.mjs needs, as JSON: that program imports nothing, so that it runs unbuilt in a bare process. */
export const TEST_GUEST_PLAN = {
  device: '/dev/kvm',
  code: CODE,
  loadAddress: LOAD_ADDRESS,
  pageBytes: PAGE_BYTES,
  rflags: RFLAGS_RESERVED,
  exitCountMax: EXIT_COUNT_MAX,
  numbers: { ...KVM_NUMBERS, ...LINUX_NUMBERS },
  structs: KVM_STRUCTS,
  run: KVM_RUN_OFFSETS,
} as const;

/** One exit of the guest as the kernel told it. */
export interface GuestExit {
  readonly reason: number;
  readonly io: {
    readonly direction: number;
    readonly sizeBytes: number;
    readonly port: number;
    readonly data: number;
  } | null;
}

/** What is wrong with the exits, or null when they are exactly those the guest's code must make. */
export function exitsRefusal(exits: readonly GuestExit[]): string | null {
  const [first, second] = exits;
  if (first?.reason !== KVM_NUMBERS.KVM_EXIT_IO || first.io === null)
    return `first exit is ${describe(first)}, not I/O`;
  const { direction, sizeBytes, port, data } = first.io;
  if (direction !== KVM_NUMBERS.KVM_EXIT_IO_OUT || sizeBytes !== 1 || port !== PORT || data !== LETTER) {
    return `the guest's output arrived as direction ${direction}, ${sizeBytes} bytes, port ${port}, value ${data}`;
  }
  if (second?.reason !== KVM_NUMBERS.KVM_EXIT_HLT) return `second exit is ${describe(second)}, not HLT`;
  return exits.length === 2 ? null : `${exits.length} exits instead of 2`;
}

const describe = (exit: GuestExit | undefined): string => (exit === undefined ? 'missing' : `reason ${exit.reason}`);
