import { toUnavailable } from './database-errors.js';
import { JointTransaction } from './joint-transaction.js';

/** Ids of one statement. */
const ID_COUNT_MAX = 500;

/**
 * Looks rows up by their ids, those that are asked for while another statement is under way by one statement together. What
 * it finds is read after it was asked for: nothing is kept.
 */
export class JointLookup<Row> {
  readonly #lookups: JointTransaction<string, Row | null>;

  constructor(read: (ids: readonly string[]) => Promise<ReadonlyMap<string, Row>>) {
    this.#lookups = new JointTransaction<string, Row | null>({
      run: async (ids) => {
        const rows = await read([...new Set(ids)]).catch((error: unknown) => {
          // So that it is told to all, and not tried again for each.
          throw toUnavailable(error);
        });
        return ids.map((id) => rows.get(id) ?? null);
      },
      memberCountMax: ID_COUNT_MAX,
      concurrency: 1,
    });
  }

  find(id: string): Promise<Row | null> {
    return this.#lookups.join(id);
  }
}
