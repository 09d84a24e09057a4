import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import { isDatabaseUnavailable, isTransactionConflict, toUnavailable } from './database-errors.js';
import { PrismaClient } from './generated/client.js';
import type { TransactionClient } from './generated/internal/prismaNamespace.js';

export type Tx = TransactionClient;
export type Database = PrismaClient;

/**
 * Bounds connecting as well as waiting for a free connection of the pool. A burst of 200 creates of one project, one after
 * the other on its row, takes 8 s on two busy cores; a caller who waits gets an answer, one who is turned away does not.
 */
const CONNECT_MS_MAX = 15_000;

/** Opens the typed client on `url`. `poolSize`: connections this process may hold. */
export const openDatabase = (url: string, poolSize: number): Database =>
  new PrismaClient({
    adapter: new PrismaPg({ connectionString: url, max: poolSize, connectionTimeoutMillis: CONNECT_MS_MAX }),
  });

const TRANSACTION_WAIT_MS_MAX = 20_000;
const TRANSACTION_RUN_MS_MAX = 30_000;
/** Two transactions that lock in different order end as one after the other; more rounds than this is a design fault. */
const TRANSACTION_ATTEMPTS_MAX = 5;
const RETRY_PAUSE_MS = 20;

/**
 * One transaction, READ COMMITTED; everything in it or nothing. Throwing rolls back.
 *
 * `run` is executed again when PostgreSQL rolled it back as a deadlock's or conflict's victim, or when the connection broke
 * before COMMIT was sent: then nothing of it has happened, so it must not have effects outside of the transaction. Once
 * COMMIT was sent and the connection broke, nobody knows the outcome; that throws `unavailable`.
 */
export async function withTransaction<Result>(database: Database, run: (tx: Tx) => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    let isCommitting = false;
    try {
      return await database.$transaction(
        async (tx) => {
          const result = await run(tx);
          isCommitting = true;
          return result;
        },
        { maxWait: TRANSACTION_WAIT_MS_MAX, timeout: TRANSACTION_RUN_MS_MAX },
      );
    } catch (error) {
      const canRetry = isTransactionConflict(error) || (!isCommitting && isDatabaseUnavailable(error));
      if (!canRetry || attempt >= TRANSACTION_ATTEMPTS_MAX) throw toUnavailable(error);
      await sleep(RETRY_PAUSE_MS * attempt);
    }
  }
}
