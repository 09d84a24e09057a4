/**
 * What the QEMU guest agent of a VM can be asked. Everything it says was said by the guest, which may forge it: bounded, checked for
 * its shape, and nothing more. Throws what RunningVm throws, and `guest_agent_failed` when the agent in the guest refuses, answers
 * nonsense or more than the bound, or does not answer within `timeoutMs`, which counts from when the question's turn has come: the
 * channel takes one at a time. After a passed time limit it is not known whether the guest did what it was asked.
 */
export interface GuestPort {
  /** qga guest-network-get-interfaces. Loopback is left out; at most GUEST_INTERFACE_COUNT_MAX with GUEST_ADDRESS_COUNT_MAX in all. */
  queryInterfaces(timeoutMs: number): Promise<GuestInterface[]>;
  /** Starts a program without a shell and returns the number by which `pollCommand` knows it. qga guest-exec. */
  startCommand(command: GuestCommand, timeoutMs: number): Promise<number>;
  /** What became of it; a program that has ended can be asked for once. qga guest-exec-status. */
  pollCommand(commandId: number, timeoutMs: number): Promise<GuestCommandStatus>;
  /** Sets the guest's clock to that time (Unix ms). qga guest-set-time. */
  setTime(atMs: number, timeoutMs: number): Promise<void>;
  /** Halts writes to the guest's file systems and returns how many; none of them may stay halted for long. qga guest-fsfreeze-freeze. */
  freeze(timeoutMs: number): Promise<number>;
  /** Lets them go on and returns how many were halted; 0: none was. qga guest-fsfreeze-thaw. */
  thaw(timeoutMs: number): Promise<number>;
  /** qga guest-fsfreeze-status. */
  isFrozen(timeoutMs: number): Promise<boolean>;
}

export interface GuestInterface {
  /** As the guest calls it: printable ASCII, at most 32 characters. */
  readonly name: string;
  /** Six lower-case hexadecimal pairs, or null. */
  readonly macAddress: string | null;
  readonly addresses: readonly GuestAddress[];
}

export interface GuestAddress {
  readonly address: string;
  readonly prefixLength: number;
}

/** A report of 4096 VMs must fit into one message: about 1 KiB for each. */
export const GUEST_INTERFACE_COUNT_MAX = 8;
export const GUEST_ADDRESS_COUNT_MAX = 16;

export interface GuestCommand {
  /** A path in the guest, or a name that its agent looks up on its PATH. */
  readonly program: string;
  readonly args: readonly string[];
  /** Given to it on its standard input. */
  readonly input: Uint8Array | null;
}

export interface GuestCommandStatus {
  readonly hasEnded: boolean;
  /** Null: it runs, or was ended by a signal. */
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** The guest's agent itself cut the output off. */
  readonly isTruncated: boolean;
}

/** Of one output stream of a guest's program. What writes more is refused as a whole: its agent hands over all of it or nothing. */
export const GUEST_OUTPUT_BYTES_MAX = 256 * 1024;
