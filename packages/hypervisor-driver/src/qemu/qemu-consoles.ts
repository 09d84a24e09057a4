import { open, rm, stat } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { DomainError, pngRefusal, SCREENSHOT_BYTES_MAX } from '@kvorum/schema';
import type { ConsolePort } from '../console-port.js';
import { asHostFault } from '../process/as-host-fault.js';
import { connectOnce } from './connect-socket.js';
import type { RunFolder } from './run-folder.js';
import { writeSerial } from './serial-line.js';

/** What the consoles need of the VM they belong to. */
export interface ConsoleOwner {
  readonly folder: RunFolder;
  /** Runs it while the VM lives, and tells its end from other failures. */
  call<Result>(run: () => Promise<Result>): Promise<Result>;
  /** QMP screendump: a PNG file of the screen, written by QEMU. */
  screendump(path: string): Promise<void>;
}

/** Serial line and screen of a QEMU process. */
export class QemuConsoles implements ConsolePort {
  readonly #owner: ConsoleOwner;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(owner: ConsoleOwner) {
    this.#owner = owner;
  }

  writeSerial(data: Uint8Array): Promise<number> {
    return this.#owner.call(() => writeSerial(this.#owner.folder, data));
  }

  openDisplay(): Promise<Duplex> {
    return this.#owner.call(async () => {
      await this.#assertDisplay();
      const attempt = await connectOnce(this.#owner.folder.displaySocket);
      if (attempt.kind === 'connected') return attempt.socket;
      throw new DomainError('host_fault', `the VM's screen cannot be reached: ${attempt.code}`);
    });
  }

  takeScreenshot(): Promise<Uint8Array> {
    // One at a time: they share a file.
    const turn = this.#turn.then(() =>
      this.#owner.call(async () => {
        await this.#assertDisplay();
        return asHostFault('the screenshot cannot be taken', () => this.#takeScreenshot());
      }),
    );
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /**
   * QEMU may make no file of its own, so it is given one; it is read through our descriptor, and nothing else can come to bear its
   * name, as the folder is the agent's.
   */
  async #takeScreenshot(): Promise<Uint8Array> {
    const { screenshot, consoleLog } = this.#owner.folder;
    await rm(screenshot, { force: true });
    const file = await open(screenshot, 'wx+', 0o600);
    try {
      // The console log belongs to the user that the process runs under.
      const { uid, gid } = await stat(consoleLog);
      await file.chown(uid, gid);
      await this.#owner.screendump(screenshot);
      const { size } = await file.stat();
      const bytes = Buffer.alloc(Math.min(size, SCREENSHOT_BYTES_MAX + 1));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      const refusal = pngRefusal(bytes.subarray(0, bytesRead));
      if (refusal === null) return bytes.subarray(0, bytesRead);
      throw new DomainError('host_fault', `what QEMU gave as a screenshot ${refusal}`);
    } finally {
      await file.close();
      await rm(screenshot, { force: true });
    }
  }

  async #assertDisplay(): Promise<void> {
    if ((await stat(this.#owner.folder.displaySocket).catch(() => null)) !== null) return;
    throw new DomainError('conflict_state', 'the VM has no display: its hardware.display.kind is none in this run');
  }
}
