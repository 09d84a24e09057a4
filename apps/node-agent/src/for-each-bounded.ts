/** Runs `task` for every item, `limit` at a time. Rejects with the first failure, after what runs has ended. */
export async function forEachBounded<Item>(
  items: Iterable<Item>,
  limit: number,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { thrown: unknown } | null = null;
  const work = async () => {
    for (let next = iterator.next(); next.done !== true && failure === null; next = iterator.next()) {
      try {
        await task(next.value);
      } catch (thrown) {
        failure ??= { thrown };
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, work));
  if (failure !== null) throw (failure as { thrown: unknown }).thrown;
}
