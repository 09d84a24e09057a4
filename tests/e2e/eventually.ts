const POLL_MS = 50;

/** Waits until `look` returns something other than undefined or false, and returns it; fails after `withinMs`, saying `what`. */
export async function eventually<Found>(
  what: string,
  withinMs: number,
  look: () => Promise<Found | undefined | false> | Found | undefined | false,
): Promise<Found> {
  const giveUpAt = Date.now() + withinMs;
  let lastError: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() > giveUpAt) {
      throw new Error(`did not happen within ${withinMs} ms: ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
