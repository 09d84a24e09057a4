import { deferred } from '../process/deferred.js';
import { KILL_CONFIRM_MS } from '../process/end-process.js';
import type { ExitWatch } from '../process/exit-watch.js';
import type { Pidfd } from '../process/pidfd.js';
import { isSettledWithin } from '../process/within.js';
import type { RunRecord } from '../qemu/run-record.js';

/** swtpm ends itself when QEMU has, within milliseconds. */
const END_WAIT_MS = 1_000;

/** Watches the process of a VM's TPM: tells when it ends before the VM, and sees to it that it does not outlive the VM. */
export class TpmWatch {
  readonly #pidfd: Pidfd | null;
  readonly #watch: ExitWatch;
  readonly #ended = deferred<void>();
  readonly #stop: () => void;

  /** `onLoss` is called in a later turn of the event loop, also for a TPM that had ended before it could be watched. */
  constructor(
    run: { readonly tpm: Pidfd | null; readonly record: RunRecord },
    watch: ExitWatch,
    onLoss: (detail: string) => void,
  ) {
    this.#pidfd = run.tpm;
    this.#watch = watch;
    const identity = run.record.tpm ?? null;
    const lose = (): void => onLoss(`the process of the TPM (swtpm, pid ${identity?.pid}) has ended`);
    if (run.tpm === null) {
      this.#stop = () => undefined;
      this.#ended.resolve();
      if (identity !== null) setImmediate(lose);
      return;
    }
    this.#stop = watch.add(run.tpm, () => {
      this.#ended.resolve();
      // The VM may be ending too, and its TPM was only the first to be seen: the VM's end is told by then.
      setTimeout(lose, LOSS_SETTLE_MS).unref();
    });
  }

  /** Stops watching; the process goes on. */
  stop(): void {
    this.#stop();
  }

  /** The VM has ended: waits for the TPM to end as well, and ends it if it does not. Never throws. */
  async end(): Promise<void> {
    if (this.#pidfd === null) return;
    this.#watch.hurry();
    if (await isSettledWithin(this.#ended.promise, END_WAIT_MS)) return;
    // SAFE: a closed pidfd is never used, so this hits the TPM or nothing.
    this.#pidfd.kill();
    this.#watch.hurry();
    await isSettledWithin(this.#ended.promise, KILL_CONFIRM_MS);
  }
}

/** QEMU may end this much later than its TPM and still be the cause. */
const LOSS_SETTLE_MS = 250;
