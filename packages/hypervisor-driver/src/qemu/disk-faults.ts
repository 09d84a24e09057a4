import type { DiskFault } from '../driver.js';

const DETAIL_LENGTH_MAX = 512;

/**
 * Why QEMU stopped a guest at a write (werror=enospc, build-arguments.ts). The run state says only `io-error`; which error
 * it was comes with the event BLOCK_IO_ERROR (qapi/block-core.json), which is not repeated for a monitor that connects later.
 */
export class DiskFaults {
  #latest: DiskFault | null = null;

  hear(data: Readonly<Record<string, unknown>>): void {
    const { action, nospace, reason } = data;
    if (action !== 'stop') return;
    const words = typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
    this.#latest = { kind: nospace === true ? 'full' : 'failing', detail: words.slice(0, DETAIL_LENGTH_MAX) };
  }

  /** For a RunState of `query-status`. */
  of(status: string): DiskFault | null {
    if (status !== 'io-error') return null;
    // Only a full disk stops a guest; other errors are reported to it.
    return this.#latest ?? { kind: 'full', detail: 'a write failed before this agent was there to hear why' };
  }
}
