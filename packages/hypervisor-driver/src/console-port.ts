import type { Duplex } from 'node:stream';

/** A VM's serial line and screen. Throws what RunningVm throws. What the guest prints is read from the console log. */
export interface ConsolePort {
  /**
   * Types on the serial line and returns how many bytes it took: fewer than given when the guest does not read and
   * SERIAL_INPUT_BYTES_MAX of earlier ones wait for it. `conflict_state`: the VM was started by an agent that gave it no input.
   */
  writeSerial(data: Uint8Array): Promise<number>;
  /**
   * A connection of its own to the VM's screen: raw bytes of the RFB protocol (RFC 6143), server first. The caller has to destroy it.
   * `conflict_state`: the VM has no display.
   */
  openDisplay(): Promise<Duplex>;
  /** The screen as it is now, a PNG file of at most SCREENSHOT_BYTES_MAX. `conflict_state`: the VM has no display. */
  takeScreenshot(): Promise<Uint8Array>;
}

/** What a pipe of Linux holds (pipe(7)). */
export const SERIAL_INPUT_BYTES_MAX = 65_536;
