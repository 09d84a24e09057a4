import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from './generated/client.js';
import type { TransactionClient } from './generated/internal/prismaNamespace.js';

export type Tx = TransactionClient;
export type Database = PrismaClient;

/** Opens the typed client on `url`. `poolSize`: connections this process may hold. */
export const openDatabase = (url: string, poolSize: number): Database =>
  new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: poolSize }) });

const TRANSACTION_WAIT_MS_MAX = 10_000;
const TRANSACTION_RUN_MS_MAX = 15_000;

/** One transaction, READ COMMITTED; everything in it or nothing. Throwing rolls back. */
export const withTransaction = <Result>(database: Database, run: (tx: Tx) => Promise<Result>): Promise<Result> =>
  database.$transaction(run, { maxWait: TRANSACTION_WAIT_MS_MAX, timeout: TRANSACTION_RUN_MS_MAX });
