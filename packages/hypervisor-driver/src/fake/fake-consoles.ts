import { type Duplex, duplexPair } from 'node:stream';
import { DomainError } from '@kvorum/schema';
import type { ConsolePort } from '../console-port.js';
import type { FakeProcess } from './fake-machine.js';

/** RFC 6143 section 7.1.1. */
const RFB_VERSION = 'RFB 003.008\n';
/** One grey pixel. */
const PIXEL_PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==';

/** Serial line and screen of a FakeProcess: what is typed is printed; the screen greets and then echoes. */
export class FakeConsoles implements ConsolePort {
  readonly #answering: () => Promise<FakeProcess>;

  constructor(answering: () => Promise<FakeProcess>) {
    this.#answering = answering;
  }

  async writeSerial(data: Uint8Array): Promise<number> {
    return (await this.#answering()).type(data);
  }

  async openDisplay(): Promise<Duplex> {
    const process = await this.#withDisplay();
    const [far, near] = duplexPair();
    far.write(RFB_VERSION);
    far.pipe(far);
    // A process that ends closes its sockets.
    void process.exited.then(() => near.destroy());
    return near;
  }

  async takeScreenshot(): Promise<Uint8Array> {
    const { isHung } = await this.#withDisplay();
    if (isHung) throw new DomainError('deadline_exceeded', 'the monitor did not answer in time');
    return Buffer.from(PIXEL_PNG, 'base64');
  }

  async #withDisplay(): Promise<FakeProcess> {
    const process = await this.#answering();
    if (process.launch.hardware.display.kind !== 'none') return process;
    throw new DomainError('conflict_state', 'the VM has no display: its hardware.display.kind is none in this run');
  }
}
