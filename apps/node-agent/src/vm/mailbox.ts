import { DomainError } from '@kvorum/schema';

/** A waiting request is a caller with an open call; more than this and the caller is told to come back. */
const WAITING_MAX = 64;

interface Letter {
  readonly run: () => Promise<void>;
  readonly refuse: (reason: DomainError) => void;
}

/** One task after the other, in the order in which they were posted. */
export class Mailbox {
  readonly #letters: Letter[] = [];
  #running: Promise<void> | null = null;
  #isClosed = false;

  get isIdle(): boolean {
    return this.#running === null && this.#letters.length === 0;
  }

  /**
   * Rejects with `unavailable` when too many wait or the agent shuts down, and with `cancelled` when the caller gave up
   * before the task's turn. A task that has begun is not stopped.
   */
  post<Result>(task: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    if (this.#letters.length >= WAITING_MAX) {
      return Promise.reject(new DomainError('unavailable', `${WAITING_MAX} requests for this VM are waiting`));
    }
    return this.#enqueue(async () => {
      if (signal?.aborted === true) throw new DomainError('cancelled', 'the caller gave up before its turn');
      return task();
    });
  }

  /** For the actor's own tasks, of which there is a bounded number: one per process that ended. */
  postInternal(task: () => Promise<void>): Promise<void> {
    return this.#enqueue(task);
  }

  /** Refuses what waits and resolves when the running task has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const letter of this.#letters.splice(0)) letter.refuse(shuttingDown());
    await this.#running;
  }

  #enqueue<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) return Promise.reject(shuttingDown());
    return new Promise<Result>((resolve, reject) => {
      this.#letters.push({ run: () => task().then(resolve, reject), refuse: reject });
      this.#running ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    // A turn of the event loop first, so that `#running` is set before the first task looks at it.
    await Promise.resolve();
    for (let letter = this.#letters.shift(); letter !== undefined; letter = this.#letters.shift()) await letter.run();
    this.#running = null;
  }
}

const shuttingDown = () => new DomainError('unavailable', 'the agent is shutting down; ask again');
