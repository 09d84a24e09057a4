import { readFile } from 'node:fs/promises';
import { replaceFile } from '@kvorum/host-storage';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';

/** Numbers reserved at once: more than three weeks of reports. 2^33 such blocks fit into a safe integer. */
const BLOCK_SIZE = 2 ** 20;
const CounterFile = z.strictObject({ reservedUpTo: z.int().min(0) });

/**
 * Numbers that only ever grow, over crashes too: the file holds the end of the block in use, and a restart begins
 * after it. It begins at least at the block of the present Unix second (until the year 2242), so that a host that lost
 * its state folder and enrols anew is not taken for one that repeats itself. Taking a number never waits.
 */
export class ReportCounter {
  readonly #path: string;
  #next: number;
  #reservedUpTo: number;
  #extension: Promise<void> | null = null;

  private constructor(path: string, reservedBefore: number) {
    this.#path = path;
    this.#next = reservedBefore + 1;
    this.#reservedUpTo = reservedBefore + BLOCK_SIZE;
  }

  static async open(path: string): Promise<ReportCounter> {
    const blockOfNow = Math.floor(Date.now() / 1_000) * BLOCK_SIZE;
    const counter = new ReportCounter(path, Math.max(await readReserved(path), blockOfNow));
    await counter.#persist(counter.#reservedUpTo);
    return counter;
  }

  next(): number {
    if (this.#next > this.#reservedUpTo) {
      throw new DomainError('host_fault', 'report numbers are used up and no further ones could be reserved');
    }
    const number = this.#next;
    this.#next += 1;
    if (this.#reservedUpTo - this.#next < BLOCK_SIZE / 2) this.#extend();
    return number;
  }

  #extend(): void {
    if (this.#extension !== null) return;
    const upTo = this.#reservedUpTo + BLOCK_SIZE;
    this.#extension = this.#persist(upTo)
      .then(() => {
        this.#reservedUpTo = upTo;
      })
      // Tried again with the next number; `next` says when it has become serious.
      .catch(() => undefined)
      .finally(() => {
        this.#extension = null;
      });
  }

  #persist(reservedUpTo: number): Promise<void> {
    return replaceFile(this.#path, `${JSON.stringify({ reservedUpTo })}\n`);
  }
}

async function readReserved(path: string): Promise<number> {
  try {
    return CounterFile.parse(JSON.parse(await readFile(path, 'utf8'))).reservedUpTo;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw new DomainError('host_fault', `the report counter ${path} cannot be read`, { cause: thrown });
  }
}
