import { DomainError } from '@kvorum/schema';

export interface JointTransactionOptions<Member, Result> {
  /** One transaction for all of them: everything or nothing. Results in the order of the members. */
  readonly run: (members: readonly Member[]) => Promise<readonly Result[]>;
  readonly memberCountMax: number;
  /** Transactions at a time. */
  readonly concurrency: number;
}

interface Waiting<Member, Result> {
  readonly member: Member;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets requests that come at the same time share a transaction: whoever comes while others run waits for the next one, and
 * goes with all who have come until then. Alone, a request waits for nobody.
 *
 * When a joint transaction fails, each half of its members is tried again, and so on: one bad request costs the others
 * some tries and never their result. `unavailable` is told to all, for then nobody knows what has happened.
 */
export class JointTransaction<Member, Result> {
  readonly #options: JointTransactionOptions<Member, Result>;
  #waiting: Waiting<Member, Result>[] = [];
  #runningCount = 0;

  constructor(options: JointTransactionOptions<Member, Result>) {
    this.#options = options;
  }

  /** The result of `member`, or the error of a transaction that it was alone in. */
  join(member: Member): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ member, resolve, reject });
      // Not at once: who comes in the same turn goes along.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#begin());
    });
  }

  #begin(): void {
    const { concurrency, memberCountMax } = this.#options;
    while (this.#runningCount < concurrency && this.#waiting.length > 0) {
      const together = this.#waiting.splice(0, memberCountMax);
      this.#runningCount += 1;
      void this.#run(together).finally(() => {
        this.#runningCount -= 1;
        this.#begin();
      });
    }
  }

  async #run(together: readonly Waiting<Member, Result>[]): Promise<void> {
    try {
      const results = await this.#options.run(together.map(({ member }) => member));
      for (const [index, { resolve }] of together.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (together.length === 1 || (error instanceof DomainError && error.code === 'unavailable')) {
        for (const { reject } of together) reject(error);
        return;
      }
      const half = Math.ceil(together.length / 2);
      await this.#run(together.slice(0, half));
      await this.#run(together.slice(half));
    }
  }
}
