import { endedOf, type Pidfd } from './pidfd.js';

/**
 * Tells when processes end that need not be our children. One poll(2) over all pidfds per round, with timeout 0:
 * a blocking poll would hold a thread of libuv's small pool per VM, while a round over 500 VMs takes well under 100 us.
 * The owner of a process hears of its end sooner by other means (the monitor's socket closes) and calls `hurry`.
 */
export class ExitWatch {
  readonly #watched = new Map<Pidfd, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #hurriedUntilMs = 0;

  /** Calls `onExit` once when the process has ended, and closes the pidfd. Returns a function that stops watching. */
  add(pidfd: Pidfd, onExit: () => void): () => void {
    this.#watched.set(pidfd, onExit);
    this.#arm();
    return () => {
      if (this.#watched.delete(pidfd)) pidfd.close();
    };
  }

  /** Looks at once and then often for a moment: a process is known to be ending. */
  hurry(): void {
    this.#hurriedUntilMs = performance.now() + HURRY_MS;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#look();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#watched.size === 0) return;
    const delayMs = performance.now() < this.#hurriedUntilMs ? HURRIED_ROUND_MS : ROUND_MS;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, delayMs);
    // Watching alone keeps no process alive.
    this.#timer.unref();
  }

  #look(): void {
    for (const pidfd of endedOf([...this.#watched.keys()])) {
      const onExit = this.#watched.get(pidfd);
      this.#watched.delete(pidfd);
      pidfd.close();
      onExit?.();
    }
    this.#arm();
  }
}

/** The bound on hearing late of an end that closed no socket of ours. */
const ROUND_MS = 100;
const HURRIED_ROUND_MS = 2;
/** The kernel frees a guest's memory before the process counts as ended: 1 TiB takes tens of milliseconds. */
const HURRY_MS = 200;
