import { KVM_NUMBERS, KVM_RUN_OFFSETS, KVM_STRUCTS } from '../sys/kvm-abi.js';
import { LINUX_NUMBERS } from '../sys/linux-abi.js';

/** The page lies above the interrupt table and below 64 KiB, where real mode with segment 0 reaches. */
const LOAD_ADDRESS = 0x1000;
const PAGE_BYTES = 4096;
/** Within the page, behind the code: what we leave for the guest to read, and where it writes its answer. */
const QUESTION_OFFSET = 0x100;
const ANSWER_OFFSET = 0x101;
const PORT = 0x3f8;
/** 'K'. The guest's code does not contain it: it can only come out if our page is the guest's memory. */
const QUESTION = 0x4b;
const ANSWER = ~QUESTION & 0xff;

/**
 * The smallest guest that proves a host enters and leaves guest mode and maps its memory: real mode, one page.
 *   mov al, [0x1100] ; mov dx, 0x3f8 ; out dx, al ; not al ; mov [0x1101], al ; hlt
 */
const CODE = [0xa0, 0x00, 0x11, 0xba, 0xf8, 0x03, 0xee, 0xf6, 0xd0, 0xa2, 0x01, 0x11, 0xf4];
/** Two exits are right; a guest that makes more than this goes astray. */
const EXIT_COUNT_MAX = 8;
/** Bit 1 of RFLAGS is reserved and always 1 (Intel SDM volume 1, 3.4.3). */
const RFLAGS_RESERVED = 2;

/** Everything test-guest.mjs needs, as JSON: that program imports nothing, so that it runs unbuilt in a bare process. */
export const TEST_GUEST_PLAN = {
  device: '/dev/kvm',
  code: CODE,
  question: { offset: QUESTION_OFFSET, value: QUESTION },
  answerOffset: ANSWER_OFFSET,
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

/** What a run left: its exits, and the byte the guest wrote into its page. */
export interface GuestRun {
  readonly exits: readonly GuestExit[];
  readonly answer: number;
}

/** What is wrong with the run, or null when it is exactly what the guest's code must do. */
export function runRefusal({ exits, answer }: GuestRun): string | null {
  const [first, second] = exits;
  if (first?.reason !== KVM_NUMBERS.KVM_EXIT_IO || first.io === null)
    return `first exit is ${describe(first)}, not I/O`;
  const { direction, sizeBytes, port, data } = first.io;
  if (direction !== KVM_NUMBERS.KVM_EXIT_IO_OUT || sizeBytes !== 1 || port !== PORT || data !== QUESTION) {
    return `the guest's output arrived as direction ${direction}, ${sizeBytes} bytes, port ${port}, value ${data}`;
  }
  if (second?.reason !== KVM_NUMBERS.KVM_EXIT_HLT) return `second exit is ${describe(second)}, not HLT`;
  if (exits.length !== 2) return `${exits.length} exits instead of 2`;
  return answer === ANSWER ? null : `the guest's page holds ${answer} where it had to write ${ANSWER}`;
}

const describe = (exit: GuestExit | undefined): string => (exit === undefined ? 'missing' : `reason ${exit.reason}`);
